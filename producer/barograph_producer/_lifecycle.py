"""When the shipper thread runs: from the first event of a process to its goodbye, and again after a fork."""

import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal

from barograph_producer import _process
from barograph_producer._buffer import Buffer, Record
from barograph_producer._stats import ProducerStats
from barograph_producer._worker import Worker

State = Literal["idle", "running", "closed"]

THREAD_NAME: Final = "barograph-producer"
# Beyond the worker's own bound, to let a reply that it waits for come in.
_JOIN_GRACE_S: Final = 0.25
_START_POLL_S: Final = 0.001

# Connections of parents: a child must neither use nor close them, and finalising one may take its locks.
_inherited: list[object] = []


class Lifecycle:
    """Starts, pauses and ends the worker's thread, and takes the records that the hot path turned away.

    States: ``idle`` (no thread yet in this process, or paused: the next event starts one), ``running`` (until
    the thread has ended; records are held for the next one meanwhile), ``closed`` (records are counted and
    dropped).
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        buffers: Sequence[Buffer],
        *,
        max_events: int,
        exit_timeout_s: float,
    ) -> None:
        self._make_worker = make_worker
        self._buffers = buffers
        self._max_events = max_events
        self._exit_timeout_s = exit_timeout_s
        self._state: State = "idle"
        self._is_closed = False
        self._thread: threading.Thread | None = None
        self._worker = make_worker()
        # Whoever pops it may start the thread: recording threads cannot take a lock to agree on one.
        self._permit = [True]
        self._stopping = threading.Lock()
        self._has_joined_exit = False
        _process.join(self)

    @property
    def worker(self) -> Worker:
        """The worker of this process."""
        return self._worker

    @property
    def stats(self) -> ProducerStats:
        return self._worker.final_stats if self._state == "closed" else self._worker.stats

    def ring(self) -> None:
        """Say that an important event waits. Called by recording threads."""
        self._worker.ring()

    def complain(self, events: int, reason: str) -> None:
        """Count input that cannot be used, and keep the reason for the log. Called by recording threads."""
        self._worker.complain(events, reason)

    def explain(self, event: str, reason: str) -> None:
        """Keep a reason for the log. Called by the host's threads."""
        self._worker.explain(event, reason)

    def turn_away(self, buffer: Buffer, record: Record) -> None:
        """Take what the hot path had no room for: start, hold, or count it as dropped. Never raises.

        Args:
            buffer: Where it was to go.
            record: One record, or several one after another; the last ones are dropped if not all find room.
        """
        events = len(record) // buffer.width
        if self._has_closed():
            self._worker.count_shut(events)
            return
        held = max(0, min(events, self._max_events - len(buffer)))
        buffer.records.extend(record if held == events else record[: held * buffer.width])
        if held < events:
            self._worker.count_full(events - held)
        if self._state == "idle":
            self.start()

    def start(self) -> None:
        """Start the thread unless it runs. Takes no lock of ours, and a failure leaves everything as it was."""
        try:
            self._permit.pop()
        except IndexError:
            return
        if self._state != "idle" or self._has_closed():
            self._permit.append(True)
            return
        thread = threading.Thread(target=self._live, name=THREAD_NAME, daemon=True)
        self._state = "running"
        for buffer in self._buffers:
            buffer.open(self._max_events)
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter is on its way out
            self._shut_buffers()
            self._state = "idle"
            self._permit.append(True)
            return
        if not self._has_joined_exit:
            self._has_joined_exit = True
            _process.on_worker_exit(self.at_exit)
        # Last: whoever stops the thread waits for it to appear here, and then undoes all of the above.
        self._thread = thread
        if self._has_closed():  # by a signal handler that interrupted this, and could not wait for it
            self._shut_buffers()
            self._worker.request_stop(self._exit_timeout_s, is_final=True)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything recorded before is on the server; say whether it is.

        A running worker is asked even when nothing seems to wait: it may be holding a batch.
        """
        if self._state != "running":
            if self.stats.buffered == 0:
                return True
            self.start()
            if self._state == "idle":
                return False
        return self._worker.request_flush().wait(timeout_s)

    def stop(self, timeout_s: float, *, is_final: bool) -> bool:
        """Ship what is held, say goodbye, and end the thread. Any number of threads may call it.

        Returns:
            Whether everything recorded before is on the server.
        """
        if is_final:
            self._is_closed = True
            _process.leave(self)
        self._shut_buffers()
        # Bounded: a signal handler that closes may have interrupted a close in its own thread.
        if not self._stopping.acquire(timeout=timeout_s + _JOIN_GRACE_S):
            return False
        try:
            return self._stop(timeout_s, is_final=is_final)
        finally:
            self._stopping.release()

    def after_fork_in_child(self) -> None:
        """Begin anew in a child: no events, no thread, another worker and instance."""
        for buffer in self._buffers:
            buffer.shut()
            buffer.records.clear()
        _inherited.append(self._worker.inherited_connection())
        self._worker = self._make_worker()
        self._thread = None
        self._has_joined_exit = False
        self._stopping = threading.Lock()
        self._state = "idle"
        self._permit = [True]

    def at_exit(self) -> None:
        """Close within the exit's bound. For the interpreter's exit."""
        self.stop(self._exit_timeout_s, is_final=True)

    def _stop(self, timeout_s: float, *, is_final: bool) -> bool:
        if not self._await_start(timeout_s):
            return False
        if self._state == "closed":
            return self._worker.given_up == 0
        thread = self._thread
        if thread is not None:
            self._shut_buffers()
            self._worker.request_stop(timeout_s, is_final=is_final)
            thread.join(timeout_s + _JOIN_GRACE_S)
            if thread.is_alive():
                return False  # it waits for a reply, and will end when that has come or timed out
        else:
            if self._worker.stats.buffered:
                # Held since a pause, or no thread could be started: this one does the work.
                self._worker.request_stop(timeout_s, is_final=is_final)
                self._worker.run()
            self._rest()
        return self._worker.given_up == 0 and (is_final or self._worker.stats.buffered == 0)

    def _await_start(self, timeout_s: float) -> bool:
        """Wait until a thread that is being started can be told to end, or keep any from being started."""
        pause = threading.Event()
        tries = max(1, int((timeout_s + _JOIN_GRACE_S) / _START_POLL_S))
        for _ in range(tries):
            if self._thread is not None:
                return True
            try:
                self._permit.pop()
            except IndexError:
                if self._state == "closed":
                    return True
                pause.wait(_START_POLL_S)
            else:
                return True
        return False

    def _live(self) -> None:
        """Do the worker's work. The body of the thread."""
        is_done = self._worker.run()
        self._thread = None
        self._rest()
        # Recorded while the goodbye was said. Where the server takes nothing, the next event is soon enough.
        if is_done and self._state == "idle" and any(map(len, self._buffers)):
            self.start()

    def _rest(self) -> None:
        """Note that no thread runs. The next event starts one, unless this was the end."""
        if self._has_closed():
            self._worker.give_up_rest()
            self._state = "closed"
        else:
            self._state = "idle"
            self._permit = [True]

    def _has_closed(self) -> bool:
        return self._is_closed

    def _shut_buffers(self) -> None:
        for buffer in self._buffers:
            buffer.shut()
