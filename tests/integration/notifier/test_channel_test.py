"""A test of a channel that a person asks for at the console, answered by a notifier process."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.channel_tests import STALE_MS, ChannelTest, ChannelTests
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_entries
from barograph_notifier.channel import Outcome, Sent
from barograph_notifier.notification import Notification
from barograph_notifier.sending.tester import ChannelTester
from barograph_notifier.sending.trying import TriedChannel
from tests.integration.console.test_console_process import stage, url_in
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.support import FakeClock, wait_until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


def test_the_console_shows_what_the_channel_said(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path, receiver: Receiver
) -> None:
    """The sample begins and ends, says who sent it, and stands on the deliveries stream."""
    config = tmp_path / "barograph.toml"
    config.write_text(f'[[channel]]\nname = "hook"\ntype = "webhook"\nurl = "{receiver.url}"\nallow_private = true\n')
    common = ("--url", valkey_url, "--prefix", keys.prefix, "--config", str(config))
    log = tmp_path / "console.log"
    with stage("barograph_console", log, "--port", "0", *common), stage("barograph_notifier", tmp_path / "n", *common):
        base = f"{url_in(log)}/api/v1/channels"

        def is_listed() -> bool:
            return [row["name"] for row in httpx2.get(base, timeout=20).json()["channels"]] == ["hook"]

        wait_until(is_listed, what="the channel")
        answer = httpx2.post(f"{base}/hook/test", json={"actor": "mira"}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert [(one["status"], one["result"], one["answer"]) for one in answer.json()["messages"]] == [
        ("firing", "sent", "http 200"),
        ("resolved", "sent", "http 200"),
    ]
    begin, end = (json.loads(one.body) for one in receiver.received)
    assert (begin["reason"], begin["alert"]["labels"]) == ("test", {"sent_by": "mira at the console"})
    assert end["status"] == "resolved"
    entries = [entry.fields for entry in as_entries(real.command("XRANGE", keys.deliveries, "-", "+"))]
    assert [(one[b"result"], one[b"reason"]) for one in entries] == [
        (b"sent", b"test by mira: firing http 200"),
        (b"sent", b"test by mira: resolved http 200"),
    ]


class Noting:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        del key, timeout_s
        self.sent.append(notification.status)
        return Sent()


def asked(channel: str = "hook", test_id: str = "a" * 32, at_ms: int | None = None) -> ChannelTest:
    return ChannelTest(test_id, channel, "mira", FakeClock().now_ms() if at_ms is None else at_ms)


class Desk:
    def __init__(self, real: Connection, keys: ShardKeys, url: str) -> None:
        self.channel, self.tests = Noting(), ChannelTests(real, keys)
        tried = TriedChannel(name="hook", channel=self.channel, sends_resolved=True, timeout_s=5)
        self.testers = [ChannelTester(real, keys, tried, FakeClock(), lambda: Connection.open(url)) for _ in range(2)]


@pytest.fixture
def desk(real: Connection, keys: ShardKeys, valkey_url: str) -> Desk:
    return Desk(real, keys, valkey_url)


def test_of_two_notifiers_one_answers_and_a_repetition_is_not_sent_again(desk: Desk) -> None:
    assert desk.tests.ask(asked())
    assert desk.tests.ask(asked())
    for tester in desk.testers * 2:
        tester.look()
    wait_until(lambda: desk.tests.answer_to("a" * 32) is not None, timeout_s=20, what="the answer")
    assert desk.channel.sent == ["firing", "resolved"]
    assert desk.tests.take("hook") is None


def test_nobody_waits_for_an_old_test(desk: Desk) -> None:
    """The notifiers were away: people would wonder about a sample minutes later."""
    desk.tests.ask(asked(at_ms=FakeClock().now_ms() - STALE_MS - 1))
    desk.testers[0].look()
    assert desk.tests.take("hook") is None
    assert desk.channel.sent == []


def test_what_cannot_be_read_is_passed_over(desk: Desk, real: Connection, keys: ShardKeys) -> None:
    real.command("RPUSH", keys.tests("hook"), "{")
    desk.testers[0].look()
    assert desk.tests.take("hook") is None


def test_only_so_many_wait(desk: Desk) -> None:
    answers = [desk.tests.ask(asked(test_id=f"{number:032}")) for number in range(12)]
    assert answers == [True] * 10 + [False] * 2
