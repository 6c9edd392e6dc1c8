"""Notifiers are killed while they deliver: nothing is lost or applied twice, and no alert ends before it begins."""

import os
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from barograph_core.alerts.record import episode_key
from barograph_notifier.__main__ import main
from barograph_notifier.outbox.leases import Leases
from tests.chaos.notifiers import Pack, running_pack
from tests.support import wait_until
from tests.unit.notifier.samples import FIRING, RESOLVED, transition

# 500 is the full size: 5,000 deliveries.
KILLS = int(os.environ.get("BAROGRAPH_CHAOS_NOTIFIER_KILLS", "15"))
DELIVERIES_A_KILL = 10
NOTIFIERS = 3
# Alerts under way at a time.
OPEN = 30
# Alerts that are acknowledged: three deliveries each.
ACKNOWLEDGED = 10 * KILLS // 3


def mistakes(pack: Pack, alerts: Sequence[str]) -> list[str]:
    """Return what is wrong with what arrived and what is on record."""
    found = list[str]()
    recorded, applied = pack.recorded(), pack.book.applied
    none = dict.fromkeys(("sent", "suppressed", "dead"), 0)
    keys = {key for key, _, _ in applied}
    if len(keys) != len(applied):
        found.append("a key stands for two messages")
    if pack.book.doubles > pack.kills:
        found.append(f"{pack.book.doubles} requests were repeated for {pack.kills} kills")
    for alert in alerts:
        statuses = [status for _, one, status in applied if one == alert]
        raw = [status for _, one, status in pack.book.rows if one == alert]
        if statuses != ["firing", "resolved"]:
            found.append(f"{alert}: applied {statuses}")
        if raw != sorted(raw):
            found.append(f"{alert}: arrived {raw}")
        for one in (transition(FIRING, alert=alert), transition(RESOLVED, alert=alert, number=2)):
            results = {result: recorded[one.transition, result] for result in ("sent", "suppressed", "dead")}
            # A kill between answer and record leaves a firing in doubt; its end, which came meanwhile, is then owed.
            if results not in ({**none, "sent": 1}, {**none, "suppressed": 1}):
                found.append(f"{alert}: {one.after} recorded {results}")
    return found


class Load:
    """Alerts that go on to the next step once the one before has arrived: each step is a delivery.

    Args:
        pack: The notifiers.
        count: Number of alerts.
        steps: What to do with an alert by what has arrived of it; after the last step another alert fires.
        name_of: What the receiver calls an alert.
    """

    def __init__(
        self,
        pack: Pack,
        count: int,
        steps: Mapping[str, Callable[[str], object]],
        name_of: Callable[[str], str] = str,
    ) -> None:
        self._pack = pack
        self.alerts = [f"a{number:05}" for number in range(count)]
        self._alert_of = {name_of(alert): alert for alert in self.alerts}
        self._steps = steps
        self._done = set[tuple[str, str]]()
        self._next = self._open = self._seen = 0

    def step(self) -> None:
        """Write what is to be written now."""
        rows = list(self._pack.book.rows[self._seen :])
        self._seen += len(rows)
        for _, name, what in rows:
            if what in self._steps and (name, what) not in self._done:
                self._done.add((name, what))
                self._open -= what == list(self._steps)[-1]
                self._steps[what](self._alert_of[name])
        while self._next < len(self.alerts) and self._open < OPEN:
            self._open += 1
            self._pack.fire(self.alerts[self._next])
            self._next += 1

    def has_arrived(self, count: int) -> bool:
        self.step()
        return len(self._pack.book.applied) >= count


@pytest.mark.chaos
def test_kills_of_notifiers_lose_and_double_nothing(tmp_path: Path) -> None:
    """Each of the deliveries arrives, is applied once by its key, and has one record."""
    rng = random.Random(12)
    with running_pack(tmp_path, NOTIFIERS) as pack:
        load = Load(pack, KILLS * DELIVERIES_A_KILL // 2, {"firing": pack.end})
        for kill in range(1, KILLS + 1):
            wanted = (kill - 1) * DELIVERIES_A_KILL + rng.randrange(1, DELIVERIES_A_KILL)
            wait_until(partial(load.has_arrived, wanted), what=f"{wanted} deliveries")
            pack.kill(rng.randrange(NOTIFIERS))
        wait_until(lambda: load.has_arrived(KILLS * DELIVERIES_A_KILL), what="every delivery")
        wait_until(lambda: sum(pack.recorded().values()) == KILLS * DELIVERIES_A_KILL, what="every record")
        print(f"{pack.kills} kills, {KILLS * DELIVERIES_A_KILL} deliveries, {pack.book.doubles} repeated")
        assert mistakes(pack, load.alerts) == []
        assert pack.kills == KILLS


def misplaced(pack: Pack) -> list[str]:
    """Return incidents that arrived otherwise than triggered, acknowledged and resolved in this order."""
    order, found = ["trigger", "acknowledge", "resolve"], list[str]()
    for episode in {name for _, name, _ in pack.book.rows}:
        raw = [action for _, one, action in pack.book.rows if one == episode]
        if list(dict.fromkeys(raw)) != order or raw != sorted(raw, key=order.index):
            found.append(f"{episode}: arrived {raw}")
    return found


@pytest.mark.chaos
def test_kills_keep_acknowledgements_between_trigger_and_resolution(tmp_path: Path) -> None:
    """Each arrives once by its key, though those who tell PagerDuty of it die all the time."""
    rng, secret = random.Random(34), tmp_path / "key"
    secret.write_text("0123456789abcdef0123456789abcdef")
    kind = f'type = "pagerduty"\nrouting_key = "file:{secret}"\nsenders = 4'
    with running_pack(tmp_path, NOTIFIERS, kind=kind) as pack:
        steps = {"trigger": pack.take_on, "acknowledge": pack.end}
        load = Load(pack, ACKNOWLEDGED, steps, lambda alert: episode_key(alert, transition().episode_ms))
        total = 3 * len(load.alerts)
        for kill in range(1, KILLS + 1):
            wanted = rng.randrange(total * (kill - 1) // KILLS, total * kill // KILLS)
            wait_until(partial(load.has_arrived, wanted), what=f"{wanted} events")
            pack.kill(rng.randrange(NOTIFIERS))
        wait_until(lambda: load.has_arrived(total), what="every event")
        wait_until(lambda: sum(pack.recorded().values()) >= total, what="every record")
        assert misplaced(pack) == []
        assert pack.book.doubles <= pack.kills
        assert set(pack.recorded().values()) == {1}
        assert pack.kills == KILLS


def without_leases(argv: Sequence[str]) -> object:
    """Run a notifier whose token is that of all others: it takes every lease for its own."""

    class Open(Leases):
        def __init__(self, lease_ms: int) -> None:
            super().__init__(lease_ms)
            self.token = "the same"  # noqa: S105  # no secret

    from barograph_notifier.sending import senders

    setattr(senders, "Leases", Open)  # noqa: B010  # a fault laid on purpose, in a process of its own
    return main(argv)


@pytest.mark.chaos
def test_the_check_finds_senders_without_leases(tmp_path: Path) -> None:
    """The control: the check must notice notifiers that do not keep off each other's alerts."""
    with running_pack(tmp_path, NOTIFIERS, delay_s=0.1, run=without_leases) as pack:
        load = Load(pack, 40, {"firing": pack.end})
        # Without leases a notifier may also take an alert from another and lose it: not every delivery comes.
        wait_until(lambda: load.has_arrived(80) or pack.book.doubles > 0, what="every delivery, or a repeated one")
        assert any("repeated for 0 kills" in one for one in mistakes(pack, load.alerts))
