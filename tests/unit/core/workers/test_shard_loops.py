"""Threads come and go with the shards."""

import threading
from collections.abc import Sequence

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.workers.shard_loops import Loop, ShardThreads
from tests.support import wait_until


class Stage:
    """Makes one loop for each shard, which runs until it is stopped, and records what happens."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, bool]] = []
        self.ended: list[str] = []
        self.fails = threading.Event()
        self.cannot_begin = ""

    def __call__(self, keys: ShardKeys, /, *, is_new: bool) -> Sequence[Loop]:
        if keys.tag == self.cannot_begin:
            raise StreamUnavailableError("unreachable")
        self.begun.append((keys.tag, is_new))

        def loop(stop: threading.Event) -> None:
            while not stop.wait(0.01):
                if self.fails.is_set():
                    return
            self.ended.append(keys.tag)

        return [loop]


def shards(*tags: str) -> list[ShardKeys]:
    return [ShardKeys(tag=tag) for tag in tags]


def test_a_shard_that_is_added_gets_loops_of_its_own() -> None:
    """It is marked as new: a channel reads all of its alerts, because none of them is old."""
    stage = Stage()
    threads = ShardThreads(stage)
    threads.follow(shards("1", "2"))
    threads.follow(shards("1", "2", "3"))
    assert stage.begun == [("1", False), ("2", False), ("3", True)]
    threads.stop()
    assert sorted(stage.ended) == ["1", "2", "3"]


def test_a_new_shard_that_cannot_begin_is_told_of_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Producers send to it already. The shards after it begin."""
    stage = Stage()
    threads = ShardThreads(stage)
    threads.follow(shards("1"))
    stage.cannot_begin = "2"
    for _ in range(3):
        threads.follow(shards("1", "2", "3"))
    warnings = [(record.levelname, record.message) for record in caplog.records]
    assert (stage.begun, warnings) == ([("1", False), ("3", True)], [("WARNING", "shard.cannot_begin")])
    stage.cannot_begin = ""
    threads.follow(shards("1", "2", "3"))
    assert stage.begun[-1] == ("2", True)
    threads.stop()


def test_a_shard_of_the_start_that_cannot_begin_ends_the_start() -> None:
    """The process ends with an error, and its supervisor starts it again."""
    stage = Stage()
    stage.cannot_begin = "1"
    with pytest.raises(StreamUnavailableError):
        ShardThreads(stage).follow(shards("1"))


def test_a_shard_that_is_gone_is_left_and_the_others_go_on() -> None:
    stage = Stage()
    threads = ShardThreads(stage)
    threads.follow(shards("1", "2"))
    threads.follow(shards("2"))
    wait_until(lambda: stage.ended == ["1"], what="the end of shard 1")
    assert threads.is_whole()
    threads.stop()


def test_a_loop_that_ends_by_itself_is_noticed() -> None:
    """The process ends then, and its supervisor starts it again."""
    stage = Stage()
    threads = ShardThreads(stage)
    threads.follow(shards("1"))
    assert threads.is_whole()
    stage.fails.set()
    wait_until(lambda: not threads.is_whole(), what="the loop's end")
    threads.stop()


def test_all_loops_are_made_anew() -> None:
    """The old ones have ended by then: both have one name as consumers. No shard counts as new."""
    stage = Stage()
    threads = ShardThreads(stage)
    threads.follow(shards("1", "2"))
    stage.begun.clear()
    threads.renew()
    assert sorted(stage.ended) == ["1", "2"]
    assert stage.begun == [("1", False), ("2", False)]
    assert threads.is_whole()
    threads.stop()
