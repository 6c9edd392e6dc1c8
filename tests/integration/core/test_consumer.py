"""The consumer loop against a real server: dead colleagues, dead letters, a flushed and a restarted server."""

import contextlib
import threading
from collections.abc import Generator, Sequence

import pytest

from barograph_core.backoff import Backoff
from barograph_core.clock import SystemClock
from barograph_core.functions.library import ensure_library, loaded_version
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, as_entries, as_hash, as_int, as_list
from barograph_core.workers.consumer import Consumer, ConsumerSettings, UnreadableEntryError
from barograph_core.workers.counters import WorkerCounters
from tests.support import valkey_server, wait_until

GROUP = "readers"


class Recorder:
    """A handler that acknowledges what it can and remembers it."""

    def __init__(self, connection: Connection, stream: str) -> None:
        self._connection = connection
        self._stream = stream
        self.seen: list[str] = []
        self.redelivered: list[str] = []
        self.ticks = 0
        self.fails_on = ""

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        for entry in entries:
            if b"text" not in entry.fields:
                raise UnreadableEntryError(entry, "field 'text' is missing")
        for entry in entries:
            if entry.text("text") == self.fails_on:
                raise RuntimeError("a fault in the handler")
            self._connection.command("XACK", self._stream, GROUP, str(entry.id))
            self.seen.append(entry.text("text"))
            if is_redelivered:
                self.redelivered.append(entry.text("text"))

    def tick(self, now_ms: int) -> None:
        assert now_ms > 0
        self.ticks += 1


class Running:
    """A consumer in a thread, and a second connection to write with."""

    def __init__(self, url: str, keys: ShardKeys) -> None:
        self.keys = keys
        self.writer = Connection.open(url)
        ensure_library(self.writer)
        self.counters = WorkerCounters()
        own = Connection.open(url)
        self.recorder = Recorder(own, keys.events)
        self.consumer = Consumer(
            own,
            stage="test",
            stream=keys.events,
            group=GROUP,
            name="mine",
            keys=keys,
            handler=self.recorder,
            clock=SystemClock(),
            counters=self.counters,
            settings=ConsumerSettings(tick_ms=10, claim_idle_ms=50, claim_every_ms=20, backoff=Backoff(5, 20)),
        )

    def send(self, **fields: str) -> None:
        self.writer.command("XADD", self.keys.events, "*", *(item for pair in fields.items() for item in pair))

    def pending(self) -> int:
        return as_int(as_list(self.writer.command("XPENDING", self.keys.events, GROUP))[0])

    def sees(self, *texts: str) -> None:
        wait_until(lambda: self.recorder.seen[-len(texts) :] == list(texts), what=f"seeing {texts}")


@contextlib.contextmanager
def running(url: str, keys: ShardKeys) -> Generator[Running, None, None]:
    it = Running(url, keys)
    stop = threading.Event()
    thread = threading.Thread(target=it.consumer.run, args=(stop,))
    thread.start()
    try:
        yield it
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def test_entries_are_handled_and_acknowledged(valkey_url: str, keys: ShardKeys) -> None:
    """The group is made by the consumer, at the start of the stream."""
    with running(valkey_url, keys) as it:
        it.send(text="one")
        it.sees("one")
        assert it.pending() == 0


def test_entries_of_a_dead_consumer_are_claimed(valkey_url: str, keys: ShardKeys) -> None:
    """What a killed worker had read is taken over, one by one."""
    writer = Connection.open(valkey_url)
    for number in range(3):
        writer.command("XADD", keys.events, "*", "text", str(number))
    writer.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    writer.command("XREADGROUP", "GROUP", GROUP, "dead", "STREAMS", keys.events, ">")
    with running(valkey_url, keys) as it:
        it.sees("0", "1", "2")
        assert (it.recorder.redelivered, it.counters["entries_claimed"]) == (["0", "1", "2"], 3)


def test_an_unreadable_entry_goes_to_the_dead_letters_at_once(valkey_url: str, keys: ShardKeys) -> None:
    """The good entries around it are handled; the reason stands beside its fields."""
    with running(valkey_url, keys) as it:
        it.send(text="before")
        it.send(other="x")
        it.send(text="after")
        it.sees("before", "after")
        (dead,) = as_list(it.writer.command("XRANGE", keys.dead, "-", "+"))
        fields = as_hash(as_list(dead)[1])
        assert (fields["dead_reason"], fields["other"]) == (b"field 'text' is missing", b"x")
        assert it.pending() == 0


def test_an_entry_that_always_fails_is_given_up_alone(valkey_url: str, keys: ShardKeys) -> None:
    """A fault of the handler on one entry does not stop the others, and ends on the dead-letter stream."""
    with running(valkey_url, keys) as it:
        it.recorder.fails_on = "poison"
        it.send(text="poison")
        it.send(text="good")
        wait_until(lambda: it.writer.command("XLEN", keys.dead) == 1, what="the dead letter")
        it.sees("good")
        assert it.pending() == 0


def test_a_flushed_server_gets_its_group_back(keys: ShardKeys) -> None:
    """FLUSHALL under a running worker costs what it deleted and nothing after."""
    with valkey_server() as url, running(url, keys) as it:
        it.send(text="before")
        it.sees("before")
        it.writer.command("FLUSHALL")
        it.send(text="after")
        it.sees("before", "after")


def test_a_server_that_lost_its_functions_gets_them_back(keys: ShardKeys) -> None:
    """One without persistence comes back from a restart without them; workers load what is missing."""
    with valkey_server() as url, running(url, keys) as it:
        it.send(text="before")
        it.sees("before")
        it.writer.command("FUNCTION", "FLUSH")
        wait_until(lambda: loaded_version(it.writer) is not None, what="the library")
        it.send(text="after")
        it.sees("before", "after")


def test_a_foreign_entry_of_any_size_goes_to_the_dead_letters(valkey_url: str, keys: ShardKeys) -> None:
    """An entry that cannot be dead-lettered would come again and again, and hold the watermark for ever."""
    with running(valkey_url, keys) as it:
        it.send(**{f"field{number}": "x" for number in range(5_000)})
        it.send(text="after")
        it.sees("after")
        wait_until(lambda: it.pending() == 0, what="the burial")


def test_a_flood_of_dead_letters_is_no_flood_of_log_lines(
    valkey_url: str, keys: ShardKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream has each with its reason; the log says that it happens, and how many there are."""
    with running(valkey_url, keys) as it:
        for _ in range(200):
            it.writer.command("XADD", keys.events, "*", "other", "x")
        wait_until(lambda: it.counters["entries_dead"] == 200, what="the dead letters")
    assert 1 <= len([record for record in caplog.records if record.message == "entry.dead"]) < 50


def test_a_trimmed_pending_entry_is_counted_as_lost(valkey_url: str, keys: ShardKeys) -> None:
    """Nothing is left of it but the count."""
    writer = Connection.open(valkey_url)
    writer.command("XADD", keys.events, "*", "text", "x")
    writer.command("XGROUP", "CREATE", keys.events, GROUP, "0")
    writer.command("XREADGROUP", "GROUP", GROUP, "mine", "STREAMS", keys.events, ">")
    writer.command("XTRIM", keys.events, "MAXLEN", 0)
    with running(valkey_url, keys) as it:
        wait_until(lambda: it.counters["entries_lost"] == 1, what="the lost entry")
        assert it.pending() == 0
        assert it.writer.command("HGET", keys.progress, f"lost:{GROUP}") == b"1"


def test_ticks_go_on_when_nothing_comes(valkey_url: str, keys: ShardKeys) -> None:
    """What is due by time does not wait for entries."""
    with running(valkey_url, keys) as it:
        wait_until(lambda: it.recorder.ticks > 5, what="ticks")


def test_a_worker_is_listed_while_it_lives(valkey_url: str, keys: ShardKeys) -> None:
    """Its self-metrics stand in a hash; a clean stop takes it off the list."""
    with running(valkey_url, keys) as it:
        wait_until(lambda: it.writer.command("ZCARD", keys.workers) == 1, what="the worker's report")
        assert as_hash(it.writer.command("HGETALL", keys.worker("test", "mine")))["stage"] == b"test"
    assert it.writer.command("ZCARD", keys.workers) == 0


class Death(BaseException):
    """Stands for a death of the process: nothing catches it."""


class Mortal(Recorder):
    """A handler that dies of one entry, as of more memory than there is."""

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        if any(entry.text("text") == "deadly" for entry in entries):
            raise Death
        super().handle(entries, is_redelivered=is_redelivered)


def test_an_entry_that_kills_its_readers_is_dead_lettered_unread(real: Connection, keys: ShardKeys) -> None:
    """Attempts counted in the memory of the process that dies would let it be read for ever."""
    handler, lives = Mortal(real, keys.events), 0
    real.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")
    for text in ("one", "deadly", "two"):
        real.command("XADD", keys.events, "*", "text", text)

    def live_once() -> bool:
        nonlocal lives
        consumer = Consumer(
            real,
            stage="test",
            stream=keys.events,
            group=GROUP,
            name=f"life-{lives}",
            keys=keys,
            handler=handler,
            clock=SystemClock(),
            counters=WorkerCounters(),
            settings=ConsumerSettings(tick_ms=1, claim_idle_ms=1, claim_every_ms=0),
        )
        try:
            consumer.make_pass()
        except Death:
            lives += 1
        return as_int(as_list(real.command("XPENDING", keys.events, GROUP))[0]) == 0

    wait_until(live_once, what="an end of the entry")
    (letter,) = as_entries(real.command("XRANGE", keys.dead, "-", "+"))
    assert (letter.text("text"), letter.text("dead_reason")) == (
        "deadly",
        "3 workers died while they read it; not read again",
    )
    assert (lives, handler.seen) == (5, ["one", "two"])
    assert not [name for name in as_hash(real.command("HGETALL", keys.progress)) if name.startswith("reading:")]


def test_an_entry_that_was_left_often_by_accident_is_finished(real: Connection, keys: ShardKeys) -> None:
    """Reading one's own entries again after errors counts as a delivery too."""
    real.command("XGROUP", "CREATE", keys.events, GROUP, "0", "MKSTREAM")
    real.command("XADD", keys.events, "*", "text", "good")
    for number in range(20):
        real.command("XREADGROUP", "GROUP", GROUP, "dead", "STREAMS", keys.events, ">" if number == 0 else "0")
    handler = Mortal(real, keys.events)
    consumer = Consumer(
        real,
        stage="test",
        stream=keys.events,
        group=GROUP,
        name="alive",
        keys=keys,
        handler=handler,
        clock=SystemClock(),
        counters=WorkerCounters(),
        settings=ConsumerSettings(tick_ms=1, claim_idle_ms=0, claim_every_ms=0),
    )
    consumer.make_pass()
    assert (handler.seen, as_int(real.command("EXISTS", keys.dead))) == (["good"], 0)
    consumer.make_pass()
    assert not [name for name in as_hash(real.command("HGETALL", keys.progress)) if name.startswith("reading:")]
