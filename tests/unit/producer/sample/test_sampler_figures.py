"""Which figures a sample holds, from readings that are written out: rates, percentages, and what is missing."""

import gc
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from barograph_producer._sample.control_group import ControlGroup
from barograph_producer._sample.election import HostElection
from barograph_producer._sample.rates import Rates
from barograph_producer._sample.readings import Bytes, HostReadings, machine_memory_bytes, read_host, read_process
from barograph_producer._sample.sampler import ProcessSampler, machine_cores
from tests.support import FakeClock
from tests.unit.producer.sample.control_groups import MIB, make_group

HOST = HostReadings(
    busy_s=100.0,
    all_s=1_000.0,
    memory_bytes=8_192 * MIB,
    memory_percent=50.0,
    disk_percent=70.0,
    disk=Bytes(0, 0),
    network=Bytes(10 * MIB, 0),
    load_1m=1.5,
)


class Times(NamedTuple):
    user: float
    system: float


class Memory(NamedTuple):
    rss: int


class Counters(NamedTuple):
    read_bytes: int
    write_bytes: int


@dataclass
class FakeProcess:
    """A process whose figures are set by hand, or refused."""

    user_s: float = 0.0
    read: int = 0
    denied: bool = False

    def oneshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    def cpu_times(self) -> Times:
        self._ask()
        return Times(self.user_s, 0.0)

    def memory_info(self) -> Memory:
        self._ask()
        return Memory(64 * MIB)

    def num_threads(self) -> int:
        return 7

    def io_counters(self) -> Counters:
        self._ask()
        return Counters(self.read, 0)

    def _ask(self) -> None:
        if self.denied:
            raise psutil.AccessDenied(1)


class Desk:
    """A sampler over readings made by hand, with its figures by scope."""

    def __init__(self, root: Path) -> None:
        self.process = FakeProcess()
        self.host = HOST
        self.figures: dict[str, list[dict[str, float | None]]] = {"process": [], "host": []}
        self.clock = FakeClock()
        self.root = root
        self.sampler = self.again()

    def again(self) -> ProcessSampler:
        """Return a new sampler, which looks for its control group now."""
        return ProcessSampler(
            recorder=lambda: self.record,
            instance=lambda: "web-1:8:ab",
            election=HostElection("ranker", lease_ms=12_500, directory=self.root),
            clock=self.clock,
            every_ms=5_000,
            group=ControlGroup(self.root),
            open_process=lambda: self.process,
            look_at_host=lambda: self.host,
        )

    def record(self, *, instance: str | None = None, scope: str = "process", **measures: float | None) -> None:
        assert instance == ("web-1:8:ab" if scope == "process" else "web-1")
        self.figures[scope].append(measures)

    def sample(self) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """Sample once, after a period; return the figures of the process and of the host."""
        self.clock.advance(5_000)
        self.sampler.sample(self.clock.monotonic_ms())
        return self.figures["process"][-1], self.figures["host"][-1]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.sampler.stop()
    return made


@pytest.fixture(autouse=True)
def _leave_the_office(desk: Desk) -> object:
    yield
    desk.sampler.stop()


def test_the_first_sample_has_no_rates(desk: Desk) -> None:
    """They need a span; the rest is there at once."""
    process, host = desk.sample()
    assert (process["cpu_percent"], process["disk_read_mb_per_s"], process["gc_collections"]) == (None, None, None)
    assert (process["memory_mb"], process["threads"]) == (64.0, 7)
    assert (host["cpu_percent"], host["network_sent_mb_per_s"]) == (None, None)
    assert (host["memory_percent"], host["disk_percent"], host["load_1m"]) == (50.0, 70.0, 1.5)


def test_rates_are_per_second_since_the_sample_before(desk: Desk) -> None:
    desk.sample()
    desk.process.user_s, desk.process.read = 2.5 * machine_cores(), 10 * MIB
    desk.host = replace(HOST, busy_s=102.0, all_s=1_010.0, disk=Bytes(5 * MIB, MIB), network=Bytes(20 * MIB, 5 * MIB))
    process, host = desk.sample()
    assert process["cpu_percent"] == pytest.approx(50.0)
    assert process["disk_read_mb_per_s"] == 2.0
    assert process["disk_write_mb_per_s"] == 0.0
    assert host["cpu_percent"] == pytest.approx(20.0)
    assert (host["disk_read_mb_per_s"], host["disk_write_mb_per_s"]) == (1.0, 0.2)
    assert (host["network_sent_mb_per_s"], host["network_received_mb_per_s"]) == (2.0, 1.0)


def test_collections_are_counted_since_the_sample_before(desk: Desk) -> None:
    desk.sample()
    gc.collect()
    process, _ = desk.sample()
    assert (process["gc_collections"] or 0) >= 1


def test_in_a_container_its_limits_are_the_measure(tmp_path: Path, desk: Desk) -> None:
    """Half a core and 128 MiB: the process fills the half of each, the container four fifths."""
    make_group(
        tmp_path,
        "0::/\n",
        {
            "cpu.max": "50000 100000",
            "memory.max": str(128 * MIB),
            "memory.current": str(110 * MIB),
            "memory.stat": f"inactive_file {30 * MIB}",
            "cpu.stat": "usage_usec 1000000",
        },
    )
    desk.sample()
    desk.process.user_s = 1.25
    make_group(tmp_path, "0::/\n", {"cpu.stat": "usage_usec 3000000"})
    process, host = desk.sample()
    assert (process["memory_percent"], host["memory_percent"]) == (50.0, 62.5)
    assert process["cpu_percent"] == pytest.approx(50.0)
    assert host["cpu_percent"] == pytest.approx(80.0)


def test_a_group_above_that_is_fuller_is_the_measure(tmp_path: Path, desk: Desk) -> None:
    """A pod of 256 MiB and half a core, full because of a neighbour; the container itself is within its own limits."""
    files = {
        "pod/cpu.max": "50000 100000",
        "pod/memory.max": str(256 * MIB),
        "pod/memory.current": str(192 * MIB),
        "pod/cpu.stat": "usage_usec 1000000",
        "pod/own/cpu.max": "25000 100000",
        "pod/own/memory.max": str(128 * MIB),
        "pod/own/memory.current": str(32 * MIB),
        "pod/own/cpu.stat": "usage_usec 1000000",
    }
    make_group(tmp_path, "0::/pod/own\n", files)
    desk.sampler = desk.again()
    desk.sample()
    make_group(
        tmp_path,
        "0::/pod/own\n",
        {"pod/cpu.stat": "usage_usec 3000000", "pod/own/cpu.stat": "usage_usec 1250000"},
    )
    _, host = desk.sample()
    assert host["memory_percent"] == 75.0
    assert host["cpu_percent"] == pytest.approx(80.0)


def test_a_limit_above_what_the_machine_has_binds_nothing(tmp_path: Path, desk: Desk) -> None:
    make_group(
        tmp_path,
        "0::/\n",
        {"cpu.max": "25600000 100000", "memory.max": str(1 << 50), "memory.current": str(1 << 40), "cpu.stat": "x 1"},
    )
    desk.sample()
    desk.host = replace(HOST, busy_s=101.0, all_s=1_010.0)
    process, host = desk.sample()
    assert host["memory_percent"] == 50.0
    assert host["cpu_percent"] == pytest.approx(10.0)
    assert process["memory_percent"] == pytest.approx(100 * 64 * MIB / (machine_memory_bytes() or 0))


def test_what_is_refused_is_left_out_and_the_rest_recorded(desk: Desk) -> None:
    desk.process.denied = True
    desk.host = HostReadings(
        busy_s=None, all_s=None, memory_bytes=None, memory_percent=None,
        disk_percent=None, disk=None, network=None, load_1m=None,
    )  # fmt: skip
    desk.sample()
    process, host = desk.sample()
    assert {name for name, value in process.items() if value is not None} == {"threads", "gc_collections"}
    assert not {name for name, value in host.items() if value is not None}


def test_a_process_that_cannot_be_opened_leaves_the_host(tmp_path: Path) -> None:
    def refuse() -> FakeProcess:
        raise psutil.NoSuchProcess(1)

    desk = Desk(tmp_path)
    desk.sampler = ProcessSampler(
        recorder=lambda: desk.record,
        instance=lambda: "web-1:8:ab",
        election=HostElection("ranker", lease_ms=12_500, directory=tmp_path),
        clock=desk.clock,
        every_ms=5_000,
        group=ControlGroup(tmp_path),
        open_process=refuse,
        look_at_host=lambda: desk.host,
    )
    desk.sampler.sample(0.0)
    assert (desk.figures["process"], len(desk.figures["host"])) == ([], 1)
    desk.sampler.stop()


def test_who_loses_the_office_begins_its_rates_anew(tmp_path: Path, desk: Desk) -> None:
    """The span since it last looked would be another's."""
    desk.sample()
    rival = HostElection("ranker", lease_ms=12_500, directory=tmp_path)
    desk.clock.advance(13_000)
    assert rival.is_won("web-1:9:cd", desk.clock.now_ms())
    desk.sample()
    assert len(desk.figures["host"]) == 1
    desk.clock.advance(13_000)
    _, host = desk.sample()
    assert (len(desk.figures["host"]), host["cpu_percent"]) == (2, None)


def test_a_process_without_file_counts_or_disk_counters_is_read() -> None:
    """As macOS and Windows have it: no ``num_fds``, no ``io_counters``."""

    class Plain:
        def oneshot(self) -> AbstractContextManager[None]:
            return nullcontext()

        def cpu_times(self) -> Times:
            return Times(0.75, 0.25)

        def memory_info(self) -> Memory:
            return Memory(64 * MIB)

        def num_threads(self) -> int:
            return 1

    seen = read_process(Plain())
    assert (seen.cpu_s, seen.open_files, seen.disk) == (1.0, None, None)


def test_this_process_and_host_can_be_read() -> None:
    process, host = read_process(psutil.Process()), read_host()
    assert process.rss_bytes
    assert process.threads
    assert process.cpu_s
    assert host.memory_percent
    assert (host.busy_s or 0) <= (host.all_s or 0)


def test_busy_time_does_not_go_back_while_a_machine_idles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by a rounding: it would have no rate then."""

    class CpuTimes(NamedTuple):
        user: float
        system: float
        idle: float
        iowait: float

    busy: set[float | None] = set()
    for tick in range(1_000):
        times = CpuTimes(10_643.57, 1_486.2, 30_878.87 + tick / 100, 345.66)
        monkeypatch.setattr(psutil, "cpu_times", lambda times=times: times)
        busy.add(read_host().busy_s)
    assert busy == {10_643.57 + 1_486.2}


def test_a_counter_that_goes_back_has_no_rate_once() -> None:
    """A network interface that goes takes its share of the sum with it."""
    rates = Rates()
    found = [rates.per_s("sent", value, now_s) for now_s, value in ((0, 100), (1, 150), (2, 20), (3, 30), (3, 40))]
    assert found == [None, 50.0, None, 10.0, None]


def test_a_reading_that_failed_breaks_the_rate() -> None:
    rates = Rates()
    found = [rates.per_s("sent", value, now_s) for now_s, value in ((0, 100), (1, None), (2, 300), (3, 400))]
    assert found == [None, None, None, 100.0]
