"""What belongs to the process and not to one producer: fork, exit, names, and who samples it."""

import atexit
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Protocol


class Tenant(Protocol):
    """A producer, as the process sees it."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread, connection and events. May not lock, log or start a thread."""
        ...

    def at_exit(self) -> None: ...


_tenants: set[Tenant] = set()


def join(tenant: Tenant) -> None:
    """Tell ``tenant`` about forks and the interpreter's exit until it leaves."""
    _tenants.add(tenant)


def leave(tenant: Tenant) -> None:
    _tenants.discard(tenant)


def new_instance() -> str:
    """Return a fresh instance name: ``host:pid:`` and 16 random hex digits.

    Replicas in containers share host names and process ids: only the random part tells them apart.
    """
    host = "".join(c if c.isalnum() or c in "._-" else "_" for c in socket.gethostname())[:64]
    return f"{host}:{os.getpid()}:{secrets.token_hex(8)}"


def on_worker_exit(action: Callable[[], None]) -> None:
    """Have ``action`` called at the end of a child of ``multiprocessing``, which skips ``atexit``."""
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is None or multiprocessing.parent_process() is None:
        return
    from multiprocessing.util import Finalize

    Finalize(None, action, exitpriority=-10)


def on_sigterm(action: Callable[[], None]) -> None:
    """Have ``action`` called on SIGTERM, before whatever would have happened without it.

    Raises:
        ValueError: Not in the main thread.
    """
    before = signal.getsignal(signal.SIGTERM)

    def act(number: int, frame: FrameType | None) -> None:
        action()
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, act)


def _after_fork_in_child() -> None:
    for tenant in tuple(_tenants):
        with contextlib.suppress(Exception):
            tenant.after_fork_in_child()


def _at_exit() -> None:
    for tenant in tuple(_tenants):
        with contextlib.suppress(Exception):
            tenant.at_exit()


# Once for the process: handlers cannot be taken back.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
