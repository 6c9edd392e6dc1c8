"""The previous release and this one side by side: processes are replaced one by one under load, forward and back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.functions.library import build
from barograph_core.server.connection import read_now
from barograph_core.server.replies import as_entries, as_int, as_list, as_text
from tests.chaos.fleet import SERVICE, Fleet, Process, alerting_fleet
from tests.chaos.previous_release import unpack_previous_release
from tests.support import append, wait_until

# The order of ADR 0012, consoles aside: who reads first. Producers come last.
ORDER = ("alerter", "notifier", "aggregator", "aggregator")
# What a producer records until it is told to end.
EVENTS_PER_S = 500
MOST_LOAD_S = 180
# What the previous release says of a pane of this one, and of a prediction that states whether it failed.
PANE_REFUSED = "pane version 2 is not 1"
BATCH_REFUSED = "is not one for each of 4 measures"


@dataclass
class TwoReleases(Fleet):
    """A fleet of processes of two releases.

    Attributes:
        previous: The packages of the previous release.
        producers: Those that record into ``ledgers``.
    """

    previous: Path = Path()
    producers: list[Process] = field(default_factory=list[Process])
    ledgers: list[Path] = field(default_factory=list[Path])

    def use(self, release: str) -> None:
        """Start the next processes from ``previous`` or ``this`` release."""
        self.packages = self.previous if release == "previous" else None

    def add(self, stage: str) -> None:
        """Start a worker and wait until it works."""
        before = self.names(stage)
        self.start_worker(stage)
        wait_until(lambda: bool(self.names(stage) - before), timeout_s=60, what=f"a further {stage}")

    def replace(self, stage: str) -> None:
        """Start a worker of the release in use, then end the oldest of its stage."""
        self.add(stage)
        leaver = self.workers[stage].pop(0)
        leaver.terminate()
        assert leaver.wait(30) == 0

    def names(self, stage: str) -> set[str]:
        found = as_list(self.connection.command("ZRANGE", self.keys.workers, 0, -1))
        return {name for name in map(as_text, found) if name.startswith(f"{stage}:")}

    def record(self) -> None:
        """Start a producer of the release in use, and wait until the server has its events."""
        number = len(self.ledgers)
        self.ledgers.append(self.folder / f"ledger-{number}")
        command = ("tests.chaos.load_process", self.url, self.keys.prefix, SERVICE, str(self.ledgers[-1]))
        self.producers.append(self.start(*command, str(EVENTS_PER_S * MOST_LOAD_S), str(MOST_LOAD_S), str(number)))
        self.others.append(self.producers[-1])
        known = self.keys.producers(SERVICE)
        wait_until(
            lambda: as_int(self.connection.command("ZCARD", known)) > number, timeout_s=60, what="a further producer"
        )

    def end_load(self) -> None:
        """End every producer; each has shipped all that it recorded."""
        for process in self.producers:
            process.terminate()
        assert [process.wait(60) for process in self.producers] == [0] * len(self.producers)

    def append_failed_prediction(self) -> None:
        """Append a batch with a measure that the previous release does not know."""
        instance = "host:1:00000000000000ff"
        now_ms = read_now(self.connection)
        batch = encode_batch(KINDS["model"], [("ctr", "7")], [0], [now_ms], [[8.1], None, None, None, [1.0]])
        fields = entry_fields(batch, service="ctr", instance=instance, seq=1, through_ms=now_ms)
        append(self.connection, self.keys, fields, service="ctr", instance=instance, through_ms=now_ms)
        append(self.connection, self.keys, {}, service="ctr", instance=instance, mode="goodbye", batches=0)

    def dead(self) -> dict[str, list[str]]:
        """Return the reasons of dead letters by stage."""
        reasons: dict[str, list[str]] = {}
        for entry in as_entries(self.connection.command("XRANGE", self.keys.dead, "-", "+")):
            reasons.setdefault(entry.text("dead_stage"), []).append(entry.text("dead_reason"))
        return reasons

    def has_logged(self, text: str) -> bool:
        return any(text in path.read_text() for path in self.folder.glob("*.log"))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[TwoReleases]:
    """Return a fleet without workers."""
    previous = unpack_previous_release(tmp_path / "previous")
    with alerting_fleet(TwoReleases, tmp_path, "releases", previous=previous) as it:
        yield it


@pytest.mark.chaos
def test_an_upgrade_under_load_is_exact(fleet: TwoReleases) -> None:
    """Readers first, producers last: every event counts once, and every transition is delivered once."""
    fleet.use("previous")
    for stage in ORDER:
        fleet.add(stage)
    fleet.record()
    fleet.record()
    fleet.use("this")
    for stage in ORDER:
        fleet.replace(stage)
    fleet.record()
    fleet.end_load()
    report = fleet.verify(fleet.ledgers)
    assert report["is_right"], report
    assert fleet.connection.call("baro_build_1", [], read_only=True) == build().encode()
    assert fleet.dead() == {}


@pytest.mark.chaos
def test_going_back_and_forward_again_under_load_is_exact(fleet: TwoReleases) -> None:
    """What this release wrote, the previous one refuses in words and leaves; this one then goes on with it.

    The library of this release stays, because it is of a newer version. The previous alerter moves hints of what it
    cannot read to the dead-letter stream, which loses nothing.
    """
    fleet.use("this")
    for stage in ORDER:
        fleet.add(stage)
    fleet.record()
    fleet.record()
    fleet.use("previous")
    for stage in reversed(ORDER):
        fleet.replace(stage)
    fleet.record()
    wait_until(lambda: fleet.has_logged(PANE_REFUSED), timeout_s=60, what="the refusal of a pane")
    fleet.append_failed_prediction()
    wait_until(lambda: "aggregator" in fleet.dead(), timeout_s=60, what="the refusal of a batch")
    fleet.use("this")
    for stage in ORDER:
        fleet.replace(stage)
    fleet.end_load()
    report = fleet.verify(fleet.ledgers)
    assert report["is_right"], report
    refused = fleet.dead()
    assert [BATCH_REFUSED in reason for reason in refused["aggregator"]] == [True]
    assert all(PANE_REFUSED in reason for reason in refused.get("alerter", []))
    assert refused.keys() <= {"aggregator", "alerter"}
