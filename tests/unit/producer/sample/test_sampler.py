import gc
import os
from pathlib import Path

import psutil
import pytest

from barograph_producer import Producer
from barograph_producer._sample.election import HostElection
from barograph_producer._sample.sampler import ProcessSampler
from tests.support import FakeClock, wait_until
from tests.unit.producer.fake_server import FakeServer, series_of

NOW_MS = 1_700_000_000_000


class Recorder:
    """Keeps system events by scope."""

    def __init__(self) -> None:
        self.process: list[dict[str, float | None]] = []
        self.host: list[dict[str, float | None]] = []

    def __call__(self, *, instance: str | None = None, scope: str = "process", **measures: float | None) -> None:
        assert instance
        (self.process if scope == "process" else self.host).append(measures)


def sampler_of(recorder: Recorder, clock: FakeClock, directory: Path, name: str = "h:1:a") -> ProcessSampler:
    return ProcessSampler(
        recorder=lambda: recorder,
        instance=lambda: name,
        election=HostElection("ranker", lease_ms=12_500, directory=directory),
        clock=clock,
        every_ms=5_000,
    )


def test_the_process_is_sampled_every_period(tmp_path: Path) -> None:
    """The first CPU reading has no span to be of, and is left out."""
    recorder, clock = Recorder(), FakeClock()
    sampler = sampler_of(recorder, clock, tmp_path)
    for _ in range(4):
        sampler.sample(clock.monotonic_ms())
        clock.advance(2_500)
    first, second = recorder.process
    assert first["cpu_percent"] is None
    assert second["cpu_percent"] is not None
    assert 0 <= second["cpu_percent"] <= 100
    assert first["memory_mb"] is not None
    assert 1 < first["memory_mb"] < 100_000
    assert first["threads"] is not None
    assert first["threads"] >= 1
    assert first["open_files"] is not None
    sampler.stop()


def test_one_sampler_works_in_a_process_however_many_there_are(tmp_path: Path) -> None:
    recorder, clock = Recorder(), FakeClock()
    first, second = sampler_of(recorder, clock, tmp_path), sampler_of(recorder, clock, tmp_path)
    first.sample(0.0)
    second.sample(0.0)
    assert len(recorder.process) == 1
    first.stop()
    second.sample(0.0)
    assert len(recorder.process) == 2
    second.stop()


def test_a_sampler_that_is_gone_without_a_stop_makes_room(tmp_path: Path) -> None:
    recorder, clock = Recorder(), FakeClock()
    first, second = sampler_of(recorder, clock, tmp_path), sampler_of(recorder, clock, tmp_path)
    first.sample(0.0)
    del first
    gc.collect()
    second.sample(0.0)
    assert len(recorder.process) == 2
    second.stop()


def test_two_producers_of_a_process_ship_one_sample_between_them() -> None:
    """As a host embeds them: nothing to set up."""
    server = FakeServer()
    producers = [
        Producer(f"sampled-{os.getpid()}-{name}", connect=server.connect, sample_every_ms=3_600_000) for name in "ab"
    ]
    for producer in producers:
        producer.start()
        assert producer.flush()
    for producer in producers:
        producer.close()
    scopes = [batch.labels[series][1] for batch in server.batches() for series in series_of(batch)]
    assert sorted(scopes) == ["host", "process"]


def test_the_elected_process_samples_the_host(tmp_path: Path) -> None:
    recorder, clock = Recorder(), FakeClock()
    sampler = sampler_of(recorder, clock, tmp_path)
    sampler.sample(0.0)
    # The system counts CPU time in ticks: without one in between, the share of nothing is not known.
    before = sum(psutil.cpu_times())
    wait_until(lambda: sum(psutil.cpu_times()) > before + 0.1, what="a tick of the CPU clock")
    sampler.sample(5_000.0)
    first, second = recorder.host
    assert first["cpu_percent"] is None
    for measure in ("cpu_percent", "memory_percent", "disk_percent"):
        value = second[measure]
        assert value is not None
        assert 0 <= value <= 100
    sampler.stop()


def test_one_candidate_holds_the_office_until_its_lease_runs_out(tmp_path: Path) -> None:
    election = HostElection("ranker", lease_ms=10_000, directory=tmp_path)
    assert election.is_won("a", NOW_MS)
    assert not election.is_won("b", NOW_MS + 9_999)
    assert election.is_won("a", NOW_MS + 5_000)
    assert not election.is_won("b", NOW_MS + 14_999)
    assert election.is_won("b", NOW_MS + 15_000)


def test_a_clock_set_back_does_not_leave_the_office_empty(tmp_path: Path) -> None:
    election = HostElection("ranker", lease_ms=10_000, directory=tmp_path)
    election.is_won("a", NOW_MS + 3_600_000)
    assert election.is_won("b", NOW_MS)


def test_services_elect_apart(tmp_path: Path) -> None:
    assert HostElection("ranker", lease_ms=10_000, directory=tmp_path).is_won("a", NOW_MS)
    assert HostElection("scorer", lease_ms=10_000, directory=tmp_path).is_won("b", NOW_MS)


@pytest.mark.parametrize("trap", ["link", "pipe", "folder"])
def test_nothing_but_a_plain_file_is_used(tmp_path: Path, trap: str) -> None:
    """The temporary directory is everyone's: a link there must not make us write elsewhere, a pipe not wait."""
    path = tmp_path / f"barograph-host-{os.getuid()}-ranker"
    target = tmp_path / "target"
    target.write_text("precious")
    if trap == "link":
        path.symlink_to(target)
    elif trap == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert not HostElection("ranker", lease_ms=10_000, directory=tmp_path).is_won("a", NOW_MS)
    assert target.read_text() == "precious"


def test_what_lies_in_the_file_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / f"barograph-host-{os.getuid()}-ranker").write_bytes(b"\xff\xfe nonsense")
    assert HostElection("ranker", lease_ms=10_000, directory=tmp_path).is_won("a", NOW_MS)
