"""An HTTP endpoint of a channel: each connection resolves its name once, and goes to an address that was checked."""

import contextlib
import dataclasses
import json
import socket
from collections.abc import Iterable, Mapping

from barograph_core.clock import Clock
from barograph_core.errors import ChannelUnavailableError
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.posting.address_guard import Resolver, check_address, checked_addresses, system_resolver
from barograph_notifier.posting.deadline import Deadline
from barograph_notifier.posting.hiding import hider
from barograph_notifier.posting.kept_connections import KeptConnections
from barograph_notifier.posting.post import HttpAnswer, StaleConnectionError, exchange, head_of, open_connection
from barograph_notifier.posting.proxy import Proxy, parse_proxy, request_target
from barograph_notifier.posting.target import NO_FILES, CertificateError, CertificateFiles, Target, parse_target


class HttpEndpoint:
    """Posts to one target. Threads may share it.

    Args:
        target: Its host, port and path.
        allow_private: Whether the target may have a private, loopback or link-local address.
        clock: Measures the time.
        secrets: Texts that ``hide`` replaces, in addition to the path.
        resolver: Looks the name up.
        proxy: Through which the target is reached; ``None`` for none.
        keeps_alive: Whether to keep connections for later requests. Only for requests that the target knows by a key:
            when it has closed a kept connection meanwhile, the request is sent once more over a new one.
    """

    def __init__(
        self,
        target: Target,
        *,
        clock: Clock,
        allow_private: bool = False,
        secrets: Iterable[str] = (),
        resolver: Resolver = system_resolver,
        keeps_alive: bool = False,
        proxy: Proxy | None = None,
    ) -> None:
        self._target = target
        self._allow_private = allow_private
        self._clock = clock
        self._resolver = resolver
        self._proxy = proxy
        self._kept = KeptConnections(clock) if keeps_alive else None
        self.hide = hider({target.path, *secrets, *(proxy.headers.values() if proxy else ())})

    def __repr__(self) -> str:
        return f"HttpEndpoint({self._target!r})"

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        below: str = "",
        reads_body: bool = False,
    ) -> HttpAnswer:
        """Post ``body``.

        Args:
            body: The whole request body.
            headers: Its headers.
            timeout_s: Limit of the whole call.
            below: Added to the target's path.
            reads_body: Whether the body of a success matters too.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: The target did not answer.
        """
        deadline = Deadline(timeout_s, self._clock)
        target = self._target if not below else dataclasses.replace(self._target, path=self._target.path + below)
        keeps_alive = self._kept is not None
        every = {"User-Agent": "barograph", **headers}
        if self._proxy and target.tls is None:
            target, every = dataclasses.replace(target, path=request_target(target)), {**every, **self._proxy.headers}
        head = head_of(target, every, keeps_alive=keeps_alive)
        kept = self._kept.take() if self._kept is not None else None
        if kept is not None:
            with contextlib.suppress(StaleConnectionError):
                return self._exchange(kept.sock, kept.opened_ms, head, body, deadline, reads_body, is_kept=True)
        sock = self._open(target, deadline)
        try:
            return self._exchange(sock, self._clock.monotonic_ms(), head, body, deadline, reads_body)
        finally:
            deadline.cancel()

    def _open(self, target: Target, deadline: Deadline) -> socket.socket:
        """Return a new connection: resolve the name once, check the addresses, and connect to one of them."""
        if self._proxy:
            # The proxy looks names up. It is the network's own, so it may have a private address.
            check_address(target.host, allow_private=self._allow_private)
        place = self._proxy or target
        addresses = checked_addresses(
            place.host,
            place.port,
            allow_private=self._allow_private or self._proxy is not None,
            timeout_s=deadline.left_s,
            resolver=self._resolver,
        )
        if deadline.has_passed:
            raise ChannelUnavailableError("timeout")
        try:
            return open_connection(target, addresses, deadline, self._proxy)
        except BaseException:
            deadline.cancel()
            raise

    def _exchange(
        self,
        sock: socket.socket,
        opened_ms: float,
        head: bytes,
        body: bytes,
        deadline: Deadline,
        reads_body: bool,  # private, and next to its like
        *,
        is_kept: bool = False,
    ) -> HttpAnswer:
        try:
            answer = exchange(sock, head, body, deadline, reads_body=reads_body, is_kept=is_kept)
        except BaseException:
            sock.close()
            raise
        if self._kept is not None and answer.is_reusable:
            self._kept.give(sock, opened_ms)
        else:
            sock.close()
        return answer

    def post_json(
        self, document: object, *, timeout_s: float, below: str = "", headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Post ``document`` as JSON and read the whole answer; the rest is as in ``post``."""
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        every = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        return self.post(body, every, timeout_s=timeout_s, below=below, reads_body=True)


def read_endpoint(
    entry: TableEntry,
    key: str,
    url: str,
    clock: Clock,
    *,
    secrets: Iterable[str] = (),
    files: CertificateFiles = NO_FILES,
    keeps_alive: bool = False,
) -> HttpEndpoint | None:
    """Return the endpoint at ``url``, the value of ``key``, or ``None`` after recording its mistakes in ``entry``."""
    allow_private = entry.flag("allow_private")
    proxy_url, proxy = entry.secret("proxy"), None
    if proxy_url:
        try:
            proxy = parse_proxy(proxy_url)
        except ValueError as error:
            entry.add_problem("proxy", str(error))
            return None
    if not url:
        return None
    try:
        target = parse_target(url, files)
    except ValueError as error:
        entry.add_problem(key, str(error))
        return None
    except CertificateError as error:
        entry.add_problem(error.key, str(error))
        return None
    return HttpEndpoint(
        target, clock=clock, allow_private=allow_private, secrets=secrets, keeps_alive=keeps_alive, proxy=proxy
    )
