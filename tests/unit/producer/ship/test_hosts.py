"""Hosts whose processes begin or end in ways of their own, by stand-ins for their modules."""

# pyright: reportPrivateUsage=false

import os
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from barograph_producer import Producer
from barograph_producer._ship import hosts
from tests.unit.producer.fake_server import FakeServer


class FakeUwsgi(ModuleType):
    """The module that uWSGI puts into its interpreters."""

    def __init__(self, *options: str, master: int) -> None:
        super().__init__("uwsgi")
        self.opt = dict.fromkeys(options, True)
        self.called: list[str] = []
        self.post_fork_hook: Callable[[], object] = self.note
        self.master = master

    def note(self) -> None:
        self.called.append("the application's")

    def masterpid(self) -> int:
        return self.master


@pytest.fixture
def master(monkeypatch: pytest.MonkeyPatch) -> FakeUwsgi:
    uwsgi = FakeUwsgi("master", "enable-threads", master=os.getpid())
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi)
    monkeypatch.setattr(hosts, "_uwsgi_seen", [])
    return uwsgi


def test_a_producer_started_in_uwsgis_master_runs_in_its_workers(master: FakeUwsgi) -> None:
    """A thread in the master could hold the interpreter's lock while the master forks in C."""
    producer = Producer("ranker", connect=FakeServer().connect, sample_process=False)
    producer.start()
    phases = [producer._lifecycle.state.phase]
    master.master = -1  # as a worker sees it
    master.post_fork_hook()
    phases.append(producer._lifecycle.state.phase)
    assert phases == ["idle", "running"]
    assert master.called == ["the application's"]
    producer.close()


@pytest.mark.parametrize(("options", "warnings"), [((), 1), (("enable-threads",), 0), (("threads",), 0)])
def test_uwsgi_without_threads_is_warned_of_once(
    options: tuple[str, ...],
    warnings: int,
    master: FakeUwsgi,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", FakeUwsgi(*options, master=master.master))
    for _ in range(2):
        Producer("ranker", connect=FakeServer().connect, sample_process=False)
    assert [record.message for record in caplog.records] == ["producer.uwsgi_without_threads"] * warnings


def test_an_event_in_a_job_of_rq_is_on_the_server_when_the_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work horse ends by ``os._exit`` right after the job; no call of another process waits."""
    monkeypatch.setitem(sys.modules, "rq.job", ModuleType("rq.job"))
    monkeypatch.setenv("RQ_JOB_ID", "a job")
    server = FakeServer()
    producer = Producer("jobs", connect=server.connect, sample_process=False, ship_every_ms=60_000)
    for number in range(1, 4):
        producer.model("ctr", "7", latency_ms=1.0)
        assert server.events() == number
    producer.close()


def test_the_sample_of_a_work_horse_does_not_wait_for_the_thread_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipping thread records the sample, and waited for itself once."""
    monkeypatch.setitem(sys.modules, "rq.job", ModuleType("rq.job"))
    monkeypatch.setenv("RQ_JOB_ID", "a job")
    producer = Producer("jobs", connect=FakeServer().connect, exit_timeout_s=20)
    producer.model("ctr", "7", latency_ms=1.0)
    assert producer.stats().shipped >= 1
    producer.close()
