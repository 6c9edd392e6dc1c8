"""Starts and stops the shipping thread: at the first event of a process, at its end, and again after a fork."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, NoReturn

from barograph_producer._record.buffer import Buffer, Record
from barograph_producer._ship import hosts as _hosts
from barograph_producer._ship import process as _process
from barograph_producer._ship.loop import ShippingLoop
from barograph_producer._ship.process_state import ProcessState
from barograph_producer._stats import ProducerStats

THREAD_NAME: Final = "barograph-producer"
# Added to the limit of the shipping loop, for a reply that it still waits for.
_JOIN_GRACE_S: Final = 0.25
_START_POLL_S: Final = 0.001

# Connections of parent processes. A child must neither use nor close them; finalising one could take its locks.
_inherited: list[object] = []


class Lifecycle:
    """Starts, pauses and ends the shipping thread, and takes the records that the hot path turned away.

    Each process has a state of its own. A fork in C (uWSGI) calls none of Python's hooks, so every method compares
    the process id first. The hot path need not: any fork shuts the child's buffers, and its next record comes here.
    """

    def __init__(
        self,
        make_loop: Callable[[], ShippingLoop],
        buffers: Sequence[Buffer],
        *,
        exit_timeout_s: float,
    ) -> None:
        self._make_loop = make_loop
        self._buffers = buffers
        self._exit_timeout_s = exit_timeout_s
        self._is_closed = False
        self._starts_in_child = False
        self._state: ProcessState | None = None
        # By process id: a lock that was held during a fork is of no use to the child.
        self._arrivals: dict[int, AbstractContextManager[object]] = {}
        _process.join(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("pass the producer itself to another process: its functions record into this process only")

    @property
    def state(self) -> ProcessState:
        """The state of this process; made at the first use in it."""
        state = self._state
        return state if state is not None and state.is_here else self._arrive()

    @property
    def loop(self) -> ShippingLoop:
        """The shipping loop of this process."""
        return self.state.loop

    @property
    def stats(self) -> ProducerStats:
        state = self.state
        return state.loop.stats(has_ended=state.phase == "closed")

    def ring(self) -> None:
        """Wake the shipping thread for an important event. Recording threads call it."""
        self.state.loop.ring()

    def reject_input(self, events: int, reason: str) -> None:
        """Count input that is not usable, and store the reason for the log. Recording threads call it."""
        self.state.loop.reject_input(events, reason)

    def explain(self, event: str, reason: str) -> None:
        """Store a reason for the log. The host's threads call it."""
        self.state.loop.explain(event, reason)

    def turn_away(self, buffer: Buffer, record: Record) -> None:
        """Take records for which the buffer had no room: hold them or count them as dropped. Never raises.

        The first record starts the thread and opens the buffer for the next ones.

        Args:
            buffer: The buffer for the records.
            record: One record, or several one after another; the last are dropped if there is not enough room.
        """
        state = self._hold(buffer, record)
        if _hosts.may_end_at_once():
            self._ship_now(state)
        elif state.phase == "running" and not buffer.is_open:
            self._open(state, buffer)

    def _hold(self, buffer: Buffer, record: Record) -> ProcessState:
        """Append as many records as there is room for, count the others, and start the thread if none runs."""
        state = self.state
        events = len(record) // buffer.width
        if self._has_closed():
            state.loop.count_shut(events)
            return state
        held = max(0, min(events, buffer.max_events - len(buffer)))
        buffer.records.extend(record if held == events else record[: held * buffer.width])
        if held < events:
            state.loop.count_full(events - held)
        if state.phase == "idle":
            self.start()
        return state

    def start(self) -> None:
        """Start the thread unless it runs. Takes no lock of ours; a failure changes nothing.

        In uWSGI's master this starts the threads of its workers instead, after they are forked.
        """
        state = self.state
        if _hosts.will_fork_unseen():
            self._starts_in_child = True
            return
        try:
            state.permit.pop()
        except IndexError:
            return
        if state.phase != "idle" or self._has_closed():
            state.permit.append(True)
            return
        # Make the locks and the thread together: if gevent replaces only one of them, the thread stops all others.
        state.loop.prepare()
        thread = threading.Thread(target=self._live, args=(state,), name=THREAD_NAME, daemon=True)
        state.phase = "running"
        try:
            thread.start()
        except RuntimeError:  # no more threads are possible, or the interpreter is exiting
            state.phase = "idle"
            state.permit.append(True)
            return
        if not state.has_joined_exit:
            state.has_joined_exit = True
            _hosts.on_worker_exit(self.at_exit)
        # Last, because ``_await_start`` waits for it before it undoes all of the above.
        state.thread = thread
        if self._has_closed():  # a signal handler interrupted this method and closed
            state.loop.request_stop(self._exit_timeout_s, is_final=True)

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything recorded before is on the server; return whether it is.

        Asks a running loop even if nothing seems to wait, because it may be holding a batch.
        """
        state = self.state
        if state.phase != "running":
            if self.stats.buffered == 0:
                return True
            self.start()
            if state.phase == "idle":
                return False
        return state.loop.request_flush().wait(timeout_s)

    def stop(self, timeout_s: float, *, is_final: bool) -> bool:
        """Ship what is held, say goodbye and end the thread. Several threads may call it at once.

        Returns:
            Whether everything recorded before is on the server.
        """
        state = self.state
        if is_final:
            self._is_closed = True
            _process.leave(self)
        self._shut_buffers()
        # With a limit, because a signal handler that closes may have interrupted a close in its own thread.
        if not state.stopping.acquire(timeout=timeout_s + _JOIN_GRACE_S):
            return False
        try:
            return self._stop(state, timeout_s, is_final=is_final)
        finally:
            state.stopping.release()

    def after_fork_in_child(self) -> None:
        """Start over in a child process: no events and no thread; the next use makes a new loop and instance."""
        for buffer in self._buffers:
            buffer.shut()
            buffer.records.clear()
        state, self._state = self._state, None
        if state is not None:
            _inherited.append(state.loop.inherited_connection())

    def arrive(self) -> None:
        """Start over if this process is a child, and start the thread that its parent was to start."""
        if self._starts_in_child:
            self._starts_in_child = False
            self.start()
        else:
            _ = self.state

    def at_exit(self) -> None:
        """Close within ``exit_timeout_s``, at the interpreter's exit."""
        self.stop(self._exit_timeout_s, is_final=True)

    def _arrive(self) -> ProcessState:
        """Make the state of this process, and drop the records and the state of its parent."""
        pid = _process.current_pid()
        # Several threads may come here at once, and only the first may drop records.
        with self._arrivals.setdefault(pid, threading.RLock()):
            state = self._state
            if state is None or not state.is_here:
                if state is not None:
                    self.after_fork_in_child()
                state = self._state = ProcessState(self._make_loop(), "closed" if self._is_closed else "idle")
        self._arrivals.pop(pid, None)
        return state

    def _open(self, state: ProcessState, buffer: Buffer) -> None:
        """Let recorders append to ``buffer``, unless the thread has ended or ends now."""
        buffer.open()
        if state is not self._state or state.phase != "running" or self._has_closed():
            buffer.shut()
            # Records that were appended meanwhile need a thread like any other.
            if len(buffer) and not self._has_closed():
                self.start()

    def _ship_now(self, state: ProcessState) -> None:
        """Wait for the server as long as an exit would, because this event may be the last of the process.

        Not if the server failed a moment ago, and not in the shipping thread, where the sampler records.
        """
        if state.phase == "running" and threading.get_ident() != state.ident and not state.loop.has_failed:
            state.loop.request_flush().wait(self._exit_timeout_s)

    def _stop(self, state: ProcessState, timeout_s: float, *, is_final: bool) -> bool:
        if not self._await_start(state, timeout_s):
            return False
        if state.phase == "closed":
            return state.loop.given_up == 0
        thread = state.thread
        if thread is not None:
            self._shut_buffers()
            state.loop.request_stop(timeout_s, is_final=is_final)
            thread.join(timeout_s + _JOIN_GRACE_S)
            if thread.is_alive():
                return False  # it waits for a reply, and ends when that arrives or times out
        else:
            if state.loop.stats().buffered:
                # Events are held since a pause, or no thread could be started: ship them in this thread.
                state.loop.request_stop(timeout_s, is_final=is_final)
                state.loop.run()
            self._note_ended(state)
        return state.loop.given_up == 0 and (is_final or state.loop.stats().buffered == 0)

    def _await_start(self, state: ProcessState, timeout_s: float) -> bool:
        """Wait until a starting thread can be stopped, or prevent any from being started."""
        pause = threading.Event()
        tries = max(1, int((timeout_s + _JOIN_GRACE_S) / _START_POLL_S))
        for _ in range(tries):
            if state.thread is not None:
                return True
            try:
                state.permit.pop()
            except IndexError:
                if state.phase == "closed":
                    return True
                pause.wait(_START_POLL_S)
            else:
                return True
        return False

    def _live(self, state: ProcessState) -> None:
        """Run the shipping loop. The body of the thread."""
        state.ident = threading.get_ident()
        is_done = state.loop.run()
        if not state.is_here:
            return
        state.thread = None
        self._note_ended(state)
        # Start again for events that were recorded during the goodbye, unless the server is away: then the next event
        # is soon enough.
        if is_done and state.phase == "idle" and any(map(len, self._buffers)):
            self.start()

    def _note_ended(self, state: ProcessState) -> None:
        """Note that no thread runs. The next event starts one unless the producer was closed."""
        if self._has_closed():
            state.loop.give_up_rest()
            state.phase = "closed"
        else:
            state.phase = "idle"
            state.permit = [True]
        self._shut_buffers()  # a recording thread may have opened one again; see ``_open``

    def _has_closed(self) -> bool:
        """Say whether the producer was closed; a signal handler may do that between two calls."""
        return self._is_closed

    def _shut_buffers(self) -> None:
        for buffer in self._buffers:
            buffer.shut()
