"""Everything of a producer that belongs to one process, because a fork copies it and the child must not use it."""

import os
import threading
from typing import Literal

from barograph_producer._ship.loop import ShippingLoop

Phase = Literal["idle", "running", "closed"]


class ProcessState:
    """The shipping loop of one process, with the thread and the locks that belong to it.

    It is made in the process that uses it, and not when the producer is made: an application is often imported
    before its workers are forked, or before gevent replaces the locks and threads.

    Attributes:
        pid: The process for which it was made.
        loop: Drains, packs and ships.
        permit: The thread that pops it starts the shipping thread, because recording threads must not take a lock.
        stopping: Held by the thread that stops the loop.
        phase: ``idle`` (no thread was started, or it was paused; the next event starts one), ``running`` (until the
            thread has ended), ``closed`` (records are counted and dropped).
        thread: The shipping thread, if one runs.
        ident: The identifier of the thread that runs the loop, known to that thread before ``thread`` is.
        has_joined_exit: Whether the exit of a worker process calls the producer.
    """

    __slots__ = ("has_joined_exit", "ident", "loop", "permit", "phase", "pid", "stopping", "thread")

    def __init__(self, loop: ShippingLoop, phase: Phase) -> None:
        self.pid = os.getpid()
        self.loop = loop
        self.permit = [True]
        self.stopping = threading.Lock()
        self.phase: Phase = phase
        self.thread: threading.Thread | None = None
        self.ident: int | None = None
        self.has_joined_exit = False

    @property
    def is_here(self) -> bool:
        """Whether this is the process for which it was made. A greenlet of gevent lives on in a forked child."""
        return self.pid == os.getpid()
