"""Channels are listed, and a person lets a notifier try one."""

import pytest

from barograph_console.channels import routes
from barograph_core.access.token import Role, new_token
from barograph_core.pipeline.channel_tests import TriedMessage
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.status import PipelineStatus
from tests.unit.console.fakes import NOW_MS, Console, FakeAccess, FakeChannels, FakePipeline

API = "/api/v1/channels"
SENT = TriedMessage("firing", "sent", "http 200", 84)


def channel(name: str, waiting: int, oldest_ms: int, **deliveries: int) -> ChannelStatus:
    return ChannelStatus(name, waiting, waiting, is_capped=False, oldest_ms=oldest_ms, deliveries=deliveries)


def console(*shards: tuple[ChannelStatus, ...], answers: list[TriedMessage] | None = None) -> Console:
    statuses = [PipelineStatus(NOW_MS, (), NOW_MS, {}, (), (), channels=shard) for shard in shards]
    return Console(pipeline=FakePipeline(statuses), channels=FakeChannels(answers or []))


SLACK = channel("slack", 0, 0, sent=3)


def test_channels_of_all_shards_are_one_list() -> None:
    found = console(
        (channel("slack", 2, 900, sent=3, dead=1), channel("mail", 0, 0)), (channel("slack", 1, 50, sent=4),)
    )
    rows = found.client().get(API).json()["channels"]
    assert rows == [
        {"name": "mail", "waiting": 0, "oldest_ms": 0, "sent": 0, "failed": 0, "dead": 0},
        {"name": "slack", "waiting": 3, "oldest_ms": 900, "sent": 7, "failed": 0, "dead": 1},
    ]


def test_what_came_back_from_a_test_is_shown() -> None:
    one = console((SLACK,), answers=[SENT, TriedMessage("resolved", "failed", "timeout", 10_000)])
    answer = one.client().post(f"{API}/slack/test", json={"actor": "mira"})
    assert answer.status_code == 200
    assert answer.json() == {
        "channel": "slack",
        "messages": [
            {"status": "firing", "result": "sent", "answer": "http 200", "took_ms": 84},
            {"status": "resolved", "result": "failed", "answer": "timeout", "took_ms": 10_000},
        ],
    }
    (asked,) = one.channels.asked
    assert (asked.channel, asked.actor, len(asked.test_id)) == ("slack", "mira", 32)


def test_the_words_of_a_newer_notifier_are_shown_as_they_are() -> None:
    one = console((SLACK,), answers=[TriedMessage("acknowledged", "held", "later", 5)])
    (message,) = one.client().post(f"{API}/slack/test", json={"actor": "mira"}).json()["messages"]
    assert (message["status"], message["result"]) == ("acknowledged", "held")


def test_a_repeated_request_asks_for_the_same_test() -> None:
    """Its answer was lost: people get one sample, not two."""
    one = console((SLACK,), answers=[SENT])
    client = one.client()
    for key in ("k1", "k1", "k2"):
        client.post(f"{API}/slack/test", json={"actor": "mira"}, headers={"Idempotency-Key": key})
    first, second, third = (asked.test_id for asked in one.channels.asked)
    assert first == second != third


def test_an_unknown_channel_is_named() -> None:
    answer = console((SLACK,)).client().post(f"{API}/slak/test", json={"actor": "mira"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_channel")
    assert "did you mean 'slack'?" in answer.json()["detail"]


def test_without_a_notifier_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_WAIT_S", 0)
    answer = console((SLACK,)).client().post(f"{API}/slack/test", json={"actor": "mira"})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_notifier")


def test_too_many_tests_wait_their_turn() -> None:
    one = console((SLACK,), answers=[SENT])
    one.channels.is_full = True
    answer = one.client().post(f"{API}/slack/test", json={"actor": "mira"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


def test_who_only_reads_may_not_test() -> None:
    secret, token = new_token("tom", Role.READ, now_ms=NOW_MS)
    one = console((SLACK,), answers=[SENT])
    one.access = FakeAccess([token])
    headers = {"Authorization": f"Bearer {secret}"}
    assert one.client().get(API, headers=headers).status_code == 200
    assert one.client().post(f"{API}/slack/test", json={}, headers=headers).status_code == 403
    assert one.channels.asked == []
