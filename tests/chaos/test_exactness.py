"""Kills and frozen workers under load: panes equal to the event, every alert transition delivered once.

For longer runs: ``BAROGRAPH_CHAOS_EVENTS`` in all, over ``BAROGRAPH_CHAOS_SECONDS``, with a kill every
``BAROGRAPH_CHAOS_KILL_EVERY`` seconds.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.fleet import SERVICE, Fleet, Process, alerting_fleet
from tests.support import wait_until

PRODUCERS = 4
EVENTS_EACH = int(os.environ.get("BAROGRAPH_CHAOS_EVENTS", "200000")) // PRODUCERS
LOAD_S = float(os.environ.get("BAROGRAPH_CHAOS_SECONDS", "30"))
KILL_EVERY_S = float(os.environ.get("BAROGRAPH_CHAOS_KILL_EVERY", "2"))
# Twice as long as an entry may be idle before it is claimed.
FREEZE_S = 4.0


@dataclass
class ZombieFleet(Fleet):
    """A fleet whose aggregators are killed and frozen while they hold entries, and what was done to it."""

    kills: int = 0
    kills_holding_entries: int = 0
    zombies: int = 0

    def kill_one(self, rng: random.Random) -> None:
        victim = self.workers["aggregator"].pop(rng.randrange(2))
        self.kills_holding_entries += self.freeze_holding_entries(victim)
        victim.kill()
        victim.wait(60)
        self.kills += 1
        self.start_worker("aggregator")

    def make_zombie(self) -> "Process | None":
        """Freeze an aggregator that holds entries and start another in its place; ``None`` where it held none."""
        # The oldest: the newest may still be starting, and would never hold any.
        candidate = self.workers["aggregator"].pop(0)
        if not self.freeze_holding_entries(candidate):
            # It had nothing to do for a while, as at the start of the load: the next round tries again.
            candidate.send_signal(signal.SIGCONT)
            self.workers["aggregator"].append(candidate)
            return None
        self.zombies += 1
        self.start_worker("aggregator")
        return candidate

    def thaw(self, zombie: Process) -> None:
        """Let a zombie go on; another aggregator leaves for it."""
        zombie.send_signal(signal.SIGCONT)
        leaver = self.workers["aggregator"].pop()
        leaver.terminate()
        self.others.append(leaver)
        self.workers["aggregator"].append(zombie)


@pytest.fixture
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ZombieFleet]:
    """Run 3 aggregators, 2 alerters, 2 notifiers and a receiver on a server of their own."""
    with alerting_fleet(ZombieFleet, tmp_path, "chaos", aggregator_module=request.param) as it:
        for stage, count in (("aggregator", 3), ("alerter", 2), ("notifier", 2)):
            for _ in range(count):
                it.start_worker(stage)
        wait_until(lambda: it.connection.command("ZCARD", it.keys.workers) == 7, what="seven workers")
        yield it


def run_load(fleet: ZombieFleet) -> list[Path]:
    """Record events from four producer processes while aggregators are killed, and one is frozen and thawed."""
    ledgers = [fleet.folder / f"ledger-{number}" for number in range(PRODUCERS)]
    command = ("tests.chaos.load_process", fleet.url, fleet.keys.prefix, SERVICE)
    producers = [
        fleet.start(*command, str(ledger), str(EVENTS_EACH), str(LOAD_S), str(seed))
        for seed, ledger in enumerate(ledgers)
    ]
    fleet.others += producers
    rng = random.Random(7)
    began, frozen_at, zombie = time.monotonic(), 0.0, None
    pace = threading.Event()
    while any(process.poll() is None for process in producers):
        pace.wait(began + fleet.kills * KILL_EVERY_S - time.monotonic())
        if zombie is None:
            zombie, frozen_at = fleet.make_zombie(), time.monotonic()
        elif time.monotonic() > frozen_at + FREEZE_S:
            fleet.thaw(zombie)
            zombie = None
        fleet.kill_one(rng)
    if zombie is not None:
        fleet.thaw(zombie)
    assert [process.wait() for process in producers] == [0] * PRODUCERS
    return ledgers


def verify(fleet: ZombieFleet, ledgers: list[Path], *, is_control: bool = False) -> dict[str, object]:
    report = fleet.verify(ledgers, is_control=is_control)
    print(
        f"kills {fleet.kills} ({fleet.kills_holding_entries} of them holding entries), "
        f"zombies {fleet.zombies}, claims {fleet.metric('entries_claimed')}, "
        f"fence rejections {fleet.metric('fence_rejections')}"
    )
    return report


@pytest.mark.chaos
@pytest.mark.parametrize("fleet", ["barograph_aggregator"], indirect=True)
def test_counts_are_exact_under_kills_and_zombies(fleet: ZombieFleet) -> None:
    """200,000 events over 30 s: every figure is equal to the event, sketches too; each transition is delivered once."""
    report = verify(fleet, run_load(fleet))
    assert fleet.kills > 0
    assert fleet.zombies > 0
    assert fleet.metric("entries_claimed") > 0
    assert fleet.metric("fence_rejections") > 0
    assert report["is_right"], report
    assert isinstance(report["delivered"], int)
    assert report["delivered"] >= 2, "alerts must fire and resolve for the delivery to be tested"


@pytest.mark.chaos
@pytest.mark.parametrize("fleet", ["tests.chaos.blind_aggregator"], indirect=True)
def test_a_blind_commit_miscounts_in_the_same_test(fleet: ZombieFleet) -> None:
    """The control: without the fence the same kills and zombies count events twice."""
    report = verify(fleet, run_load(fleet), is_control=True)
    assert fleet.zombies > 0
    assert not (report["exact_1s"] and report["exact_10s"]), report
