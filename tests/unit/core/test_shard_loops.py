"""Threads come and go with the shards."""

import threading
from collections.abc import Sequence

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.shard_loops import Crew, Loop
from tests.support import wait_until


class Stage:
    """Makes one loop a shard that runs until it is told to stop, and notes what happens."""

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
    """It is told from those of the start: a channel reads all of its alerts, for none is old news."""
    stage = Stage()
    crew = Crew(stage)
    crew.follow(shards("1", "2"))
    crew.follow(shards("1", "2", "3"))
    assert stage.begun == [("1", False), ("2", False), ("3", True)]
    crew.stop()
    assert sorted(stage.ended) == ["1", "2", "3"]


def test_a_new_shard_that_cannot_begin_is_told_of_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """Producers send to it already. The shards after it begin."""
    stage = Stage()
    crew = Crew(stage)
    crew.follow(shards("1"))
    stage.cannot_begin = "2"
    for _ in range(3):
        crew.follow(shards("1", "2", "3"))
    warnings = [(record.levelname, record.message) for record in caplog.records]
    assert (stage.begun, warnings) == ([("1", False), ("3", True)], [("WARNING", "shard.cannot_begin")])
    stage.cannot_begin = ""
    crew.follow(shards("1", "2", "3"))
    assert stage.begun[-1] == ("2", True)
    crew.stop()


def test_a_shard_of_the_start_that_cannot_begin_ends_the_start() -> None:
    """Whoever started the process is told, and starts it again."""
    stage = Stage()
    stage.cannot_begin = "1"
    with pytest.raises(StreamUnavailableError):
        Crew(stage).follow(shards("1"))


def test_a_shard_that_is_gone_is_left_and_the_others_go_on() -> None:
    stage = Stage()
    crew = Crew(stage)
    crew.follow(shards("1", "2"))
    crew.follow(shards("2"))
    wait_until(lambda: stage.ended == ["1"], what="the end of shard 1")
    assert crew.is_whole()
    crew.stop()


def test_a_loop_that_ends_by_itself_is_noticed() -> None:
    """The process ends then, and whoever runs it starts it again."""
    stage = Stage()
    crew = Crew(stage)
    crew.follow(shards("1"))
    assert crew.is_whole()
    stage.fails.set()
    wait_until(lambda: not crew.is_whole(), what="the loop's end")
    crew.stop()
