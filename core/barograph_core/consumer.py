"""The loop that every worker shares: read a consumer group, claim what the dead left, survive the server."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from barograph_core.clock import Clock
from barograph_core.complaints import Complaints
from barograph_core.entry_failures import EntryFailures
from barograph_core.errors import BarographError, MalformedEventError, NoGroupError, StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.library import ensure_library
from barograph_core.self_metrics import Counters
from barograph_core.stream import Connection, Entry, EntryId, Reply, as_bytes, as_entries, as_int, as_list, as_text
from barograph_core.worker_report import WorkerReport

log = logging.getLogger(__name__)

_REPORT_EVERY_MS = 1_000
_DEAD_LOG_EVERY_MS = 1_000


class UnreadableEntryError(MalformedEventError):
    """A handler cannot process some entries of those it was given: it names them, the loop buries them.

    Attributes:
        entry: The first of them; ``entries`` holds all, each with its reason.
    """

    def __init__(self, entry: Entry, reason: str, *more: tuple[Entry, str]) -> None:
        super().__init__(reason, entry.fields)
        self.entry = entry
        self.entries = ((entry, reason), *more)


class Handler(Protocol):
    """What a stage does with entries."""

    def handle(self, entries: Sequence[Entry], *, is_redelivered: bool) -> None:
        """Make the effect of ``entries`` durable and acknowledge them, in one function call.

        Entries ascend. Redelivered ones come alone. What is still pending after an error is handed over again: an
        entry takes effect in the call that acknowledges it, or its effect is the same the second time.

        Raises:
            UnreadableEntryError: Some entries can never be processed, and nothing has taken effect. The loop moves
                them to the dead-letter stream and hands over the others again.
            StreamUnavailableError: The loop waits; so it does without a group. Any other error is held against the
                entry once it comes alone: the loop goes on to the next one.
        """
        ...

    def tick(self, now_ms: int) -> None:
        """Do what is due by time. Called every ``tick_ms``, busy or idle."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerSettings:
    """How a consumer reads.

    Attributes:
        count: Most entries of one read.
        tick_ms: Longest block and least time between two ticks; far below the socket timeout.
        claim_idle_ms: An entry pending for longer is taken over. The fence makes an early claim safe.
        claim_every_ms: Time between two looks for such entries.
        max_failures: Attempts on one entry alone, after which it is dead; none counts while the server is unavailable.
        retry_every_ms: Time between two attempts.
        reap_idle_ms: Consumers that hold nothing and were silent for so long are deleted.
        backoff_ms: First and longest wait for a server that is gone.
    """

    count: int = 1_000
    tick_ms: int = 100
    claim_idle_ms: int = 2_000
    claim_every_ms: int = 500
    max_failures: int = 5
    retry_every_ms: int = 500
    reap_idle_ms: int = 3_600_000
    backoff_ms: tuple[int, int] = (50, 1_000)


class Consumer:
    """One consumer of one group on one stream, in one thread.

    Every entry is handled at least once, and its effect, being fenced by the handler's function call,
    exactly once. After any error the consumer reads its own pending entries again: a lost reply must not
    leave an entry pending for ever.
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
        counters: Counters,
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
        self._failed_passes = 0
        self._complaints = Complaints(clock, stage)
        self._report = WorkerReport(connection, keys, stage=stage, name=name, clock=clock, counters=counters)

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set; the pass under way is finished."""
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
                    # A server that keeps nothing on disk comes back without it.
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
        """Do one round: own pending entries, claims, one blocking read, and what is due by time."""
        if self._own_is_due or (self._failures and self._is_due("retry", self._settings.retry_every_ms)):
            self._read_own()
        if self._is_due("claim", self._settings.claim_every_ms):
            self._claim()
        # Never none: what comes may be good, and tells that the fault is of those that wait.
        count = max(1, self._settings.count - len(self._failures))
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
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def _read_own(self) -> None:
        after = "0"
        held: set[EntryId] = set()
        while own := self._read("COUNT", self._settings.count, after=after):
            self._redeliver(own)
            held.update(entry.id for entry in own)
            after = str(own[-1].id)
        self._failures.keep_only(held)
        self._own_is_due = False

    def _claim(self) -> None:
        # XAUTOCLAIM looks at ten times COUNT entries a call: going on from its cursor is what finds idle
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
                    self._settings.count,
                ],
            )
        )
        self._claim_cursor = as_text(reply[0])
        trimmed: list[Reply] = as_list(reply[2]) if len(reply) > 2 else []
        self._counters.add("entries_lost", len(trimmed))
        claimed = as_entries(reply[1])
        self._counters.add("entries_claimed", len(claimed))
        self._redeliver(claimed)

    def _redeliver(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if not entry.fields:
                # Trimmed while pending: nothing is left of it but the claim on our attention.
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
                    self._bury(entry, reason)
                buried = {entry.id for entry, _ in error.entries}
                rest = [entry for entry in rest if entry.id not in buried]
            except (StreamUnavailableError, NoGroupError):
                raise
            except Exception as error:  # noqa: BLE001 - a fault, or foreign data under our keys: of one entry, not of all
                self._fail(rest, error)
                return
            else:
                self._failures.note_taken([entry.id for entry in rest])
                return

    def _fail(self, entries: Sequence[Entry], error: Exception) -> None:
        """Hand over ``entries`` one by one; leave one that fails alone for later: it must not hold up the others."""
        self._counters.add("loop_errors")
        self._complaints.tell("entry.failed", error)
        if len(entries) > 1:
            for entry in entries:
                self._hand_over([entry], is_redelivered=True)
        elif self._failures.add(entries[0].id):
            self._bury(entries[0], f"{type(error).__name__}: {error}")

    def _bury(self, entry: Entry, reason: str) -> None:
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
            # The dead-letter stream has them all: a flood of them must not be one of log lines too.
            if self._complaints.may_tell("entry.dead", _DEAD_LOG_EVERY_MS):
                facts = {"entry_id": str(entry.id), "reason": reason, "dead": self._counters["entries_dead"]}
                log.error("entry.dead", extra={"stage": self._stage, **facts})

    def _make_group(self) -> None:
        try:
            self._connection.command("XGROUP", "CREATE", self._stream, self._group, self._start_at, "MKSTREAM")
        except BarographError as error:
            if "BUSYGROUP" not in str(error):
                raise
        # Whatever comes after a flush must not be missed: only a group's first start may be at "$".
        self._start_at = "0"

    def _recover(self, stop: threading.Event, mend: Callable[[], object]) -> None:
        try:
            mend()
            self._own_is_due = True
        except BarographError as error:
            self._wait(stop, "stream.unavailable", error)

    def _wait(self, stop: threading.Event, message: str, error: Exception) -> None:
        self._own_is_due = True
        self._complaints.tell(message, error)
        first_ms, longest_ms = self._settings.backoff_ms
        limit_ms = min(longest_ms, first_ms * 2 ** min(self._failed_passes, 16))
        self._failed_passes += 1
        stop.wait(self._random.uniform(limit_ms / 2, limit_ms) / 1_000)
