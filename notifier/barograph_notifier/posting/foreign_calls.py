"""Guards the connections that a library of others opens: checked addresses, and one deadline for all of them.

Such a library resolves names and connects by itself. Python tells an audit hook of each connection before it is made,
with the address that it goes to; so a redirect or a name server's second answer cannot lead past the check.
"""

import contextlib
import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import cache
from typing import Final, cast

from barograph_core.clock import Clock
from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_notifier.posting.address_guard import is_allowed
from barograph_notifier.posting.deadline import Deadline

_CONNECTS: Final = frozenset({"socket.connect", "socket.sendto"})
_MOST_LINES: Final = 20
_GRACE_S: Final = 1.0


class _Call:
    """One guarded call: what it connected to, and what the library logged."""

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        self.lines: list[str] = []
        self.refusal = ""
        self.has_connected = False
        self._deadline = deadline
        self._allow_private = allow_private

    def check(self, sock: socket.socket, address: object) -> None:
        host = _host_of(address)
        if not is_allowed(host, allow_private=self._allow_private):
            hint = "" if self._allow_private else "; allow_private = true permits private and loopback ones"
            self.refusal = f"the target is at {host or 'a local socket'}, not a public address{hint}"
            # Of the kind that libraries expect from a connection: for others they leave the socket open.
            raise PermissionError(self.refusal)
        self.has_connected = True
        with contextlib.suppress(OSError):
            self._deadline.watch(sock.dup())


_CURRENT: Final[ContextVar[_Call | None]] = ContextVar("barograph_foreign_call", default=None)


def guarded_call(
    function: Callable[[], bool], *, logger: str, allow_private: bool, timeout_s: float, clock: Clock
) -> tuple[bool, list[str], bool]:
    """Call ``function``, which connects by itself, within ``timeout_s``.

    Args:
        function: Returns whether it succeeded.
        logger: Name of the library's logger; see ``keep_quiet``.
        allow_private: Whether it may connect to private, loopback and link-local addresses.
        timeout_s: Limit of the whole call.
        clock: Measures the time.

    Returns:
        Whether it succeeded, the lines that it logged, and whether it opened a connection.

    Raises:
        ChannelRefusedError: It wanted to connect to an address that is not allowed.
        ChannelUnavailableError: It did not end in time, or raised. It says whether the message may have arrived.
    """
    keep_quiet(logger)
    _hook_once()
    deadline = Deadline(timeout_s, clock)
    call = _Call(deadline, allow_private=allow_private)
    results: list[bool | Exception] = []

    def run() -> None:
        _CURRENT.set(call)
        try:
            results.append(bool(function()))
        except Exception as error:  # noqa: BLE001  # foreign code; its mistakes must not cost the alert
            results.append(error)

    # The system's resolver has no timeout: it could block for longer than the sender's lease.
    thread = threading.Thread(target=copy_context().run, args=[run], name="barograph-foreign", daemon=True)
    try:
        thread.start()
        thread.join(deadline.left_s)
        # Its sockets are shut down now, and it ends by itself; a status that had arrived is an answer.
        thread.join(_GRACE_S)
        is_late = deadline.has_passed
    finally:
        if not thread.is_alive():
            deadline.cancel()
    result = results[0] if results else None
    if call.refusal and result is not True:
        raise ChannelRefusedError(call.refusal)
    if is_late and result is not True:
        raise ChannelUnavailableError("timeout", may_have_arrived=call.has_connected)
    if isinstance(result, Exception):
        raise ChannelUnavailableError(f"raised {type(result).__name__}", may_have_arrived=call.has_connected)
    return bool(result), call.lines, call.has_connected


@cache
def keep_quiet(logger: str) -> None:
    """Keep what a library logs out of our logs: it may quote secrets. Its warnings are collected by each call."""
    found = logging.getLogger(logger)
    found.setLevel(logging.WARNING)
    found.addFilter(_collect)


@cache
def _hook_once() -> None:
    """Install the hook, once: it cannot be taken out again."""
    sys.addaudithook(_hook)


def _hook(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTS:
        call = _CURRENT.get()
        if call is not None:
            call.check(cast("socket.socket", args[0]), args[1])


def _collect(record: logging.LogRecord) -> bool:
    call = _CURRENT.get()
    if call is not None and len(call.lines) < _MOST_LINES:
        call.lines.append(record.getMessage())
    return False


def _host_of(address: object) -> str:
    """Return the IP address that a connection goes to; empty for a local socket or a name."""
    if not isinstance(address, tuple) or not address:
        return ""
    host = str(cast("tuple[object, ...]", address)[0])
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    return host
