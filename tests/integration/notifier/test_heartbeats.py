"""A heartbeat says that the whole pipeline works: it is sent only when a probe has gone through every stage."""

import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from barograph_core.clock import SystemClock
from barograph_core.errors import Problem
from barograph_core.keyspace.keys import NOTIFIER_GROUP, ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.pipeline.probing.beats import Beat, read_beat, read_beats, write_beat
from barograph_core.pipeline.probing.probe import answer_probe, find_answer, have_read
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_int, as_text
from barograph_core.settings.config_file import parse_config
from barograph_notifier.heartbeats.beating import Beating
from barograph_notifier.heartbeats.heartbeat import Heartbeat, parse_heartbeats
from barograph_notifier.heartbeats.round_trip import RoundTrip
from tests.integration.notifier.receiver import Receiver, running_receiver
from tests.integration.pipeline import running_pipeline
from tests.support import wait_until

CONFIG: Final = """
[[heartbeat]]
name = "watch"
url = "{url}"
every = "5s"
allow_private = true
"""
# A heartbeat of 5 s needs a pane, an alerter's look and a channel's read: seconds, on a machine with other work too.
BOUND_S: Final = 60.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as made:
        yield made


def test_without_an_aggregator_there_is_no_heartbeat_and_with_one_again(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, receiver: Receiver
) -> None:
    """The outside watch notices what the pipeline itself cannot tell; the record says where the probe ended."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG.format(url=receiver.url)) as pipeline:
        connection = pipeline.connection

        def beat() -> Beat:
            return read_beat(connection, keys, "watch") or Beat(name="watch", every_ms=5_000)

        wait_until(lambda: len(receiver.received) >= 2, timeout_s=BOUND_S, what="two heartbeats")
        wait_until(lambda: beat().sent >= 2, timeout_s=BOUND_S, what="their record")
        assert receiver.received[0].body == b""
        (aggregator, *_) = pipeline.processes
        aggregator.kill()
        aggregator.wait()
        # A probe from before it died may still be under way.
        wait_until(lambda: "aggregator" in beat().problem, timeout_s=BOUND_S, what="a heartbeat that is not sent")
        count = len(receiver.received)
        tried_ms = beat().tried_ms
        wait_until(lambda: beat().tried_ms != tried_ms, timeout_s=BOUND_S, what="another attempt")
        assert len(receiver.received) == count
        again = subprocess.Popen(aggregator.args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: len(receiver.received) > count, timeout_s=BOUND_S, what="a heartbeat again")
            wait_until(lambda: beat().problem == "", timeout_s=BOUND_S, what="its record")
        finally:
            again.terminate()
            again.wait(20)
        # What was only asked for the probes is not left on the alerts stream, but for one that is under way.
        assert len([one for one in pipeline.entries(keys.alerts) if one.get("kind") == b"probe"]) <= 1


@dataclass
class Way(RoundTrip):
    """A way of the probe that ends where the test says."""

    problems: list[str] = field(default_factory=lambda: [""])
    made: int = 0
    during: Callable[[Callable[[], object]], object] = lambda meanwhile: meanwhile()

    def make(self, layout: Layout, stop: threading.Event, *, meanwhile: Callable[[], object]) -> str:
        del layout, stop
        self.made += 1
        self.during(meanwhile)
        return self.problems[min(self.made, len(self.problems)) - 1]


def beating(connection: Connection, keys: ShardKeys, heartbeats: Sequence[Heartbeat], way: RoundTrip) -> Beating:
    layout = Layout(keys.prefix, tags=(keys.tag,))
    return Beating(connection, keys, heartbeats, layout_of=lambda: layout, round_trip=way, clock=SystemClock())


def heartbeat(receiver: Receiver, name: str = "watch") -> Heartbeat:
    problems: list[Problem] = []
    text = CONFIG.format(url=receiver.url).replace("watch", name)
    (found,) = parse_heartbeats(parse_config(text, Path("b.toml")), {}, problems)
    assert problems == []
    return found


def test_of_several_notifiers_one_sends_each(real: Connection, keys: ShardKeys, receiver: Receiver) -> None:
    """Whoever looks first; the next is due a period later."""
    one, two = (beating(real, keys, [heartbeat(receiver)], Way()) for _ in range(2))
    for _ in range(3):
        one.look(threading.Event())
        two.look(threading.Event())
    assert len(receiver.received) == 1
    (beat,) = read_beats(real, keys)
    assert (beat.name, beat.sent, beat.problem, beat.every_ms) == ("watch", 1, "", 5_000)
    write_beat(real, keys, Beat(name="watch", every_ms=5_000, sent=1, sent_ms=read_now(real) - 5_000))
    two.look(threading.Event())
    assert len(receiver.received) == 2


def test_a_turn_that_another_notifier_has_is_left_to_it(real: Connection, keys: ShardKeys, receiver: Receiver) -> None:
    real.command("SET", keys.heartbeat_lease("watch"), "another", "PX", 60_000)
    beating(real, keys, [heartbeat(receiver)], Way()).look(threading.Event())
    assert receiver.received == []


def test_one_probe_is_for_all_that_are_due(real: Connection, keys: ShardKeys, receiver: Receiver) -> None:
    """Of probes that come together an alerter answers the newest only."""
    way = Way()
    beating(real, keys, [heartbeat(receiver), heartbeat(receiver, "other")], way).look(threading.Event())
    assert (way.made, len(receiver.received)) == (1, 2)
    assert [(beat.name, beat.sent) for beat in read_beats(real, keys)] == [("other", 1), ("watch", 1)]


def test_a_turn_is_short_and_prolonged_while_it_lasts(real: Connection, keys: ShardKeys, receiver: Receiver) -> None:
    """So another notifier goes on soon after a death, before the watch misses anything."""
    lease, left_ms = keys.heartbeat_lease("watch"), list[int]()

    def during(meanwhile: Callable[[], object]) -> None:
        left_ms.append(as_int(real.command("PTTL", lease)))
        real.command("PEXPIRE", lease, 5_000)
        meanwhile()
        left_ms.append(as_int(real.command("PTTL", lease)))

    beating(real, keys, [heartbeat(receiver)], Way(during=during)).look(threading.Event())
    assert len(receiver.received) == 1
    assert all(5_000 < one <= 20_000 for one in left_ms)
    assert as_int(real.command("EXISTS", lease)) == 0


def test_a_turn_that_was_lost_meanwhile_sends_nothing(real: Connection, keys: ShardKeys, receiver: Receiver) -> None:
    """A notifier that was frozen for longer than its lease leaves the heartbeat, and the lease, to the next."""
    lease = keys.heartbeat_lease("watch")
    way = Way(during=lambda _: real.command("SET", lease, "another", "PX", 60_000))
    beating(real, keys, [heartbeat(receiver)], way).look(threading.Event())
    assert (receiver.received, read_beats(real, keys)) == ([], ())
    assert as_text(real.command("GET", lease)) == "another"


def test_a_probe_that_does_not_arrive_sends_nothing_and_is_tried_again_later(
    real: Connection, keys: ShardKeys, receiver: Receiver
) -> None:
    way = Way(problems=["no alerter has judged the probe", ""])
    one = beating(real, keys, [heartbeat(receiver)], way)
    one.look(threading.Event())
    one.look(threading.Event())
    assert (receiver.received, way.made) == ([], 1)
    (beat,) = read_beats(real, keys)
    assert (beat.sent_ms, beat.problem) == (None, "no alerter has judged the probe")


Answers = list[tuple[int, dict[str, str], bytes]]
BOUNDED: Final[list[tuple[Answers, int, str]]] = [
    ([(503, {}, b"later"), (200, {}, b"ok")], 2, ""),
    ([(500, {}, b"broken")], 3, "the target does not take it: http 500: broken"),
    ([(404, {}, b"gone")], 1, "the target refuses it: http 404: gone"),
]


@pytest.mark.parametrize(("answers", "requests", "problem"), BOUNDED)
def test_attempts_are_bounded(
    real: Connection,
    keys: ShardKeys,
    receiver: Receiver,
    answers: Answers,
    requests: int,
    problem: str,
) -> None:
    """What may pass is tried three times, what is refused once."""
    receiver.answers = answers
    beating(real, keys, [heartbeat(receiver)], Way()).look(threading.Event())
    (beat,) = read_beats(real, keys)
    assert (len(receiver.received), beat.problem) == (requests, problem)


def test_a_heartbeat_that_is_no_longer_configured_is_forgotten(
    real: Connection, keys: ShardKeys, receiver: Receiver
) -> None:
    write_beat(real, keys, Beat(name="old", every_ms=1_000))
    beating(real, keys, [heartbeat(receiver)], Way()).look(threading.Event())
    assert [beat.name for beat in read_beats(real, keys)] == ["watch"]


def test_an_answer_counts_once_every_channel_has_read_and_finished_it(real: Connection, keys: ShardKeys) -> None:
    """A channel whose notifier hangs holds the heartbeat back."""
    group = f"{NOTIFIER_GROUP}hook"
    real.command("XGROUP", "CREATE", keys.alerts, group, "$", "MKSTREAM")
    mark = read_now(real)
    assert find_answer(real, keys, mark) is None
    answer_probe(real, keys, mark)
    answer = find_answer(real, keys, mark)
    assert answer is not None
    assert not have_read(real, keys, [group], answer)
    real.command("XREADGROUP", "GROUP", group, "one", "STREAMS", keys.alerts, ">")
    assert not have_read(real, keys, [group], answer)
    real.command("XACK", keys.alerts, group, str(answer))
    assert have_read(real, keys, [group], answer)
    assert not have_read(real, keys, [group, f"{NOTIFIER_GROUP}other"], answer)
    assert as_int(real.command("XLEN", keys.alerts)) == 1
