"""The loop of every worker: read a consumer group, claim the entries of dead consumers, wait for a lost server."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock
from barograph_core.errors import BarographError, MalformedEventError, NoGroupError, StreamUnavailableError
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from barograph_core.server.replies import (
    Entry,
    EntryId,
    as_bytes,
    as_entries,
    as_entry_id,
    as_facts,
    as_int,
    as_list,
    as_text,
)
from barograph_core.workers.counters import WorkerCounters
from barograph_core.workers.deadly_entries import DeadlyEntries
from barograph_core.workers.entry_failures import EntryFailures
from barograph_core.workers.read_size import ReadSize
from barograph_core.workers.report import WorkerReport

log = logging.getLogger(__name__)

_REPORT_EVERY_MS = 1_000
_DEAD_LOG_EVERY_MS = 1_000
_BACKOFF = Backoff(first_ms=50, longest_ms=1_000)


class UnreadableEntryError(MalformedEventError):
    """A handler can never process some of its entries. The loop moves these to the dead-letter stream.

    Attributes:
        entry: The first of them.
        entries: All of them, each with its reason.
    """

    def __init__(self, entry: Entry, reason: str, *more: tuple[Entry, str]) -> None:
        super().__init__(reason, entry.fields)
        self.entry = entry
        self.entries = ((entry, reason), *more)


class Handler(Protocol):
    """A stage's processing of entries."""

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Make the effect of ``entries`` durable and acknowledge them, in one function call.

        Entries come in order of their ids. A redelivered entry comes alone. Entries that are still pending after an
        error come again: so an entry must take effect in the call that acknowledges it, or have the same effect twice.

        Raises:
            UnreadableEntryError: Some entries can never be processed, and no entry has taken effect. The loop moves
                them to the dead-letter stream and passes the others again.
            StreamUnavailableError: The server is not available; the loop waits, as it does after ``NoGroupError``.
                Any other error counts as a failed attempt on the entry once it comes alone; the next entry follows.
        """
        ...

    def tick(self, now_ms: int) -> None:
        """Do work that is due by time. Called every ``tick_ms``, busy or idle."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """Settings of a consumer.

    Attributes:
        count: Limit of entries in one read; fewer are read of large ones.
        tick_ms: Longest block and shortest time between two ticks; far below the socket timeout.
        claim_idle_ms: Age at which another consumer's pending entry is claimed. The fence makes an early claim safe.
        claim_every_ms: Time between two searches for such entries.
        max_failures: Failed attempts on one entry alone after which it is dead-lettered. Attempts while the server is
            unavailable do not count.
        retry_every_ms: Time between two attempts.
        reap_idle_ms: Time of silence after which a consumer without pending entries is deleted.
        backoff: Waits while the server is gone.
    """

    count: int = 1_000
    tick_ms: int = 100
    claim_idle_ms: int = 2_000
    claim_every_ms: int = 500
    max_failures: int = 5
    retry_every_ms: int = 500
    reap_idle_ms: int = 3_600_000
    backoff: Backoff = _BACKOFF


class Consumer:
    """One consumer of one group on one stream, in one thread.

    Every entry is handled at least once. It takes effect exactly once, because the handler's function call is fenced.
    After any error the consumer reads its own pending entries again, so that a lost reply does not leave an entry
    pending for ever.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        stage: str,
        stream: str,
        group: str,
        name: str,
        keys: ShardKeys,
        handler: Handler,
        clock: Clock,
        counters: WorkerCounters,
        settings: ConsumerSettings | None = None,
        start_at: Literal["0", "$"] = "0",
    ) -> None:
        self._connection = connection
        self._stage, self._stream, self._group, self._name = stage, stream, group, name
        self._keys = keys
        self._handler = handler
        self._clock = clock
        self._counters = counters
        self._settings = settings or ConsumerSettings()
        self._start_at = start_at
        self._random = random.Random()  # noqa: S311 - jitter needs no secret
        self._own_is_due = True
        self._claim_cursor = "0-0"
        self._next_ms: dict[str, float] = dict.fromkeys(("retry", "claim", "tick", "report", "reap"), 0.0)
        self._failures = EntryFailures(self._settings.max_failures)
        self._read_size = ReadSize(self._settings.count)
        self._deadly = DeadlyEntries(connection, keys, stream=stream, group=group, name=name)
        self._failed_passes = 0
        self._error_log, self._dead_log = LogLimit(), LogLimit(_DEAD_LOG_EVERY_MS)
        self._report = WorkerReport(connection, keys, stage=stage, name=name, counters=counters)

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set; finish the pass that is under way."""
        while not stop.is_set():
            try:
                self.make_pass()
                self._failed_passes = 0
            except NoGroupError:
                self._recover(stop, self._make_group)
            except StreamUnavailableError as error:
                self._counters.add("reconnects")
                self._wait(stop, "stream.unavailable", error)
                if error.reason == "no_library":
                    # A server without persistence restarts without the library.
                    self._recover(stop, lambda: ensure_library(self._connection, is_running=True))
            except BarographError as error:
                self._counters.add("loop_errors")
                self._wait(stop, "stream.refused", error)
            except Exception as error:  # noqa: BLE001 - the worker's loop body outlives any fault of a handler
                self._counters.add("loop_errors")
                self._wait(stop, "loop.failed", error)
        self._report.end()
        self._connection.close()

    def make_pass(self) -> None:
        """Do one round: own pending entries, claims, one blocking read, and work that is due by time."""
        if self._own_is_due or (self._failures and self._is_due("retry", self._settings.retry_every_ms)):
            self._read_own()
        if self._is_due("claim", self._settings.claim_every_ms):
            self._claim()
        # Always read at least one new entry. If it succeeds, the failed entries are at fault and not the handler.
        count = max(1, self._read_size.count - len(self._failures))
        entries = self._read("COUNT", count, "BLOCK", self._block_ms(), after=">")
        if entries:
            self._counters.add("entries_read", len(entries))
            self._hand_over(entries, is_redelivered=False)
        if self._is_due("tick", self._settings.tick_ms):
            self._handler.tick(self._clock.now_ms())
        if self._is_due("report", _REPORT_EVERY_MS):
            self._report.write()
        if self._is_due("reap", self._settings.reap_idle_ms):
            self._connection.call("baro_reap_1", [self._stream], [self._group, self._settings.reap_idle_ms])

    def _is_due(self, what: str, every_ms: float) -> bool:
        now = self._clock.monotonic_ms()
        if now < self._next_ms[what]:
            return False
        self._next_ms[what] = now + every_ms
        return True

    def _block_ms(self) -> int:
        # BLOCK 0 would wait for ever.
        return max(1, int(self._next_ms["tick"] - self._clock.monotonic_ms()))

    def _read(self, *options: str | int, after: str) -> list[Entry]:
        reply = self._connection.command(
            "XREADGROUP", "GROUP", self._group, self._name, *options, "STREAMS", self._stream, after
        )
        entries = [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])
        self._read_size.note(entries)
        return entries

    def _read_own(self) -> None:
        after = "0"
        held: set[EntryId] = set()
        while own := self._read("COUNT", self._read_size.count, after=after):
            self._redeliver(own)
            held.update(entry.id for entry in own)
            after = str(own[-1].id)
        self._failures.keep_only(held)
        self._own_is_due = False

    def _claim_suspects(self) -> None:
        """Take over, one by one, the entries that several consumers have left: one of them may be what kills."""
        for suspect in self._deadly.claim(self._settings.claim_idle_ms, self._settings.count):
            self._counters.add("entries_claimed")
            if suspect.is_deadly:
                self._dead_letter(suspect.entry, f"{suspect.deaths} workers died while they read it; not read again")
            else:
                self._redeliver([suspect.entry])

    def _claim(self) -> None:
        self._claim_suspects()
        # XAUTOCLAIM looks at ten times COUNT entries a call: only by continuing from its cursor does it find idle
        # entries behind many fresh ones.
        reply = as_list(
            self._connection.call(
                "baro_claim_1",
                [self._stream, self._keys.progress],
                [
                    self._group,
                    self._name,
                    self._settings.claim_idle_ms,
                    self._claim_cursor,
                    self._read_size.count,
                ],
            )
        )
        self._claim_cursor = as_text(reply[0])
        trimmed: list[Reply] = as_list(reply[2]) if len(reply) > 2 else []
        self._counters.add("entries_lost", len(trimmed))
        claimed = as_entries(reply[1])
        self._read_size.note(claimed)
        self._counters.add("entries_claimed", len(claimed))
        self._redeliver(claimed)

    def _redeliver(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if not entry.fields:
                # It was trimmed while pending: only its id is left.
                lost = self._connection.call(
                    "baro_lost_1", [self._stream, self._keys.progress], [self._group, str(entry.id)]
                )
                self._counters.add("entries_lost", as_int(lost))
                continue
            self._hand_over([entry], is_redelivered=True)

    def _hand_over(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        rest = list(entries)
        while rest:
            try:
                self._handler.handle(rest, is_redelivered=is_redelivered)
            except UnreadableEntryError as error:
                for entry, reason in error.entries:
                    self._dead_letter(entry, reason)
                dead = {entry.id for entry, _ in error.entries}
                rest = [entry for entry in rest if entry.id not in dead]
            except (StreamUnavailableError, NoGroupError):
                raise
            except Exception as error:  # noqa: BLE001 - a fault or foreign data must cost one entry, not all
                self._fail(rest, error)
                return
            else:
                self._failures.note_taken([entry.id for entry in rest])
                return

    def _fail(self, entries: Sequence[Entry], error: Exception) -> None:
        """Pass ``entries`` one by one; leave one that fails alone for later, so that the others do not wait for it."""
        self._counters.add("loop_errors")
        self._log("entry.failed", error)
        if len(entries) > 1:
            for entry in entries:
                self._hand_over([entry], is_redelivered=True)
        elif self._failures.add(entries[0].id):
            self._dead_letter(entries[0], f"{type(error).__name__}: {error}")

    def _dead_letter(self, entry: Entry, reason: str) -> None:
        attempts = self._failures.forget(entry.id)
        reply = as_list(
            self._connection.call(
                "baro_dead_1",
                [self._stream, self._keys.dead, self._keys.progress],
                [self._group, self._name, str(entry.id), self._stage, reason, attempts],
            )
        )
        if as_bytes(reply[0]) == b"ok":
            self._counters.add("entries_dead")
            # The dead-letter stream holds them all: log only one of a flood.
            if self._dead_log.allows("entry.dead", self._clock.monotonic_ms()):
                facts = {"entry_id": str(entry.id), "reason": reason, "dead": self._counters["entries_dead"]}
                log.error("entry.dead", extra={"stage": self._stage, **facts})

    def _make_group(self) -> None:
        start_at = self._finished_through() or self._start_at
        try:
            self._connection.command("XGROUP", "CREATE", self._stream, self._group, start_at, "MKSTREAM")
        except BarographError as error:
            if "BUSYGROUP" not in str(error):
                raise
        else:
            if start_at not in ("0", "$"):
                facts = {"stream": self._stream, "group": self._group, "after": start_at}
                log.warning("group.made_again", extra={"stage": self._stage, **facts})
        # Only a group's first start may be at "$": after a flush, it must not skip entries that came meanwhile.
        self._start_at = "0"

    def _finished_through(self) -> str | None:
        """Return the entry up to which a group that was destroyed had finished all, ``None`` where nothing says so."""
        finished, exists = self._connection.pipeline(
            [("HGET", self._keys.progress, f"finished:{self._group}"), ("EXISTS", self._stream)]
        )
        if finished is None or not as_int(exists):
            return None
        facts = as_facts(self._connection.command("XINFO", "STREAM", self._stream))
        # A stream that was deleted and begun again may have lower ids: the group would never be given them.
        is_of_this_stream = as_entry_id(finished) <= as_entry_id(facts["last-generated-id"])
        return as_text(finished) if is_of_this_stream else None

    def _recover(self, stop: threading.Event, mend: Callable[[], object]) -> None:
        try:
            mend()
            self._own_is_due = True
        except BarographError as error:
            self._wait(stop, "stream.unavailable", error)

    def _wait(self, stop: threading.Event, message: str, error: Exception) -> None:
        self._own_is_due = True
        self._log(message, error)
        self._failed_passes += 1
        stop.wait(self._settings.backoff.wait_ms(self._failed_passes, self._random.random()) / 1_000)

    def _log(self, message: str, error: Exception) -> None:
        """Log ``error``, at most once a minute for each kind of error."""
        # By kind: errors that come and go between passes that succeed are not worth a line each.
        kind = error.reason if isinstance(error, StreamUnavailableError) else type(error).__name__
        if self._error_log.allows((message, kind), self._clock.monotonic_ms()):
            trace = None if isinstance(error, BarographError) else error
            log.warning(message, extra={"stage": self._stage, "error": str(error)}, exc_info=trace)
