"""Hooks of the process that all producers share: fork, exit, SIGTERM, and instance names."""

import atexit
import contextlib
import importlib
import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Final, Protocol

from barograph_producer._ship import hosts as _hosts

_POLL_S: Final = 0.001
# Limit of the wait of a fork for a connection, and of a connection for a fork: 250 ms.
_MOST_POLLS: Final = 250


class Tenant(Protocol):
    """A producer that the hooks of the process call."""

    def after_fork_in_child(self) -> None:
        """Forget the parent's thread, connection and events. Must not lock, log or start a thread."""
        ...

    def arrive(self) -> None:
        """Do the same if this process is a child in which that was not done yet. May start a thread."""
        ...

    def at_exit(self) -> None: ...


_tenants: set[Tenant] = set()
# One entry for each thread that connects, and for each that forks.
_connecting: list[bool] = []
_forking: list[bool] = []


def join(tenant: Tenant) -> None:
    """Call ``tenant`` after a fork and at the interpreter's exit, until it leaves."""
    _tenants.add(tenant)
    _hosts.follow_uwsgi(_arrive)


def leave(tenant: Tenant) -> None:
    _tenants.discard(tenant)


def current_pid() -> int:
    return os.getpid()


def new_instance() -> str:
    """Return a new instance name: ``host:pid:`` and 16 random hex digits.

    Replicas in containers share host names and process ids, so only the random part distinguishes them.
    """
    host = re.sub("[^A-Za-z0-9._-]", "_", socket.gethostname())[:64]
    return f"{host}:{os.getpid()}:{secrets.token_hex(8)}"


@contextlib.contextmanager
def connecting() -> Generator[None, None, None]:
    """Hold off forks for a bounded time: a look-up of a host name takes locks of the C library."""
    _wait_while(_forking)
    _connecting.append(True)
    try:
        yield
    finally:
        if _connecting:  # a child forgets the parent's
            _connecting.pop()


def on_sigterm(action: Callable[[], None]) -> None:
    """Call ``action`` on SIGTERM, then do what the process would have done without it.

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


def _wait_while(entries: list[bool]) -> None:
    """Poll and take no lock, because gevent may have replaced some locks and not others."""
    if not entries:
        return
    pause = threading.Event()
    for _ in range(_MOST_POLLS):
        if not entries:
            return
        pause.wait(_POLL_S)


def _before_fork() -> None:
    _forking.append(True)
    _wait_while(_connecting)


def _after_fork_in_parent() -> None:
    if _forking:
        _forking.pop()


def _after_fork_in_child() -> None:
    _forking.clear()
    _connecting.clear()
    for tenant in tuple(_tenants):
        with contextlib.suppress(Exception):
            tenant.after_fork_in_child()


def _arrive() -> None:
    for tenant in tuple(_tenants):
        with contextlib.suppress(Exception):
            tenant.arrive()


def _at_exit() -> None:
    for tenant in tuple(_tenants):
        with contextlib.suppress(Exception):
            tenant.at_exit()


# Connecting imports these modules. An import in the shipping thread while another thread forks leaves the child with a
# half-imported module: no look-up of a host name would ever succeed there, not even the application's.
for _name in ("email.parser", "encodings.ascii", "encodings.idna"):
    importlib.import_module(_name)

# Register once for the process, because handlers cannot be removed.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
