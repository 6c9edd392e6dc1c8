"""A TCP proxy between a producer and the server that resets, delays and swallows, and goes away."""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TypeAlias
from urllib.parse import urlsplit

from tests.support import free_port

# Says of a chunk after how many of its bytes the connection is reset; None passes all of it.
Cut: TypeAlias = Callable[[bytes], int | None]
# Closing with this sends a reset in place of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class FaultyProxy:
    """Forwards bytes both ways until told otherwise. All faults may be set while it runs.

    Attributes:
        cut_command: Looks at each chunk on its way to the server.
        cut_reply: Looks at each chunk on its way to the producer.
        cuts: How many connections it has reset.
        reply_delay_s: How long each reply is held back.
        is_silent: Whether it swallows all bytes and closes nothing. A connection that lost bytes so stays
            deaf, as a half-open one does; new ones work once this is over.
    """

    def __init__(self, target_url: str) -> None:
        self.point_to(target_url)
        self.port = free_port()
        self.cut_command: Cut = lambda _: None
        self.cut_reply: Cut = lambda _: None
        self.cuts = 0
        self.reply_delay_s = 0.0
        self.is_silent = False
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def point_to(self, target_url: str) -> None:
        """Send new connections to another server."""
        parts = urlsplit(target_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)

    def start(self) -> None:
        """Listen. Before it, and after ``stop``, connections are refused."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cut every connection and refuse new ones."""
        listener, thread = self._listener, self._thread
        self._listener = self._thread = None
        if listener is not None and thread is not None:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)
            listener.close()

    def __enter__(self) -> "FaultyProxy":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, listener: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            switchboard = _Switchboard(self, selector)
            selector.register(listener, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in selector.select(switchboard.wait_s()):
                        ready = key.fileobj
                        assert isinstance(ready, socket.socket)
                        if ready is listener:
                            switchboard.connect(listener.accept()[0], self._target)
                        else:
                            switchboard.forward(ready)
                    switchboard.deliver()
            except OSError:
                switchboard.close_all()


class _Switchboard:
    """The proxy's connections. Only for its thread."""

    def __init__(self, proxy: FaultyProxy, selector: selectors.BaseSelector) -> None:
        self._proxy = proxy
        self._selector = selector
        # Each end's other end; a deaf producer's end has none.
        self._peers: dict[socket.socket, socket.socket | None] = {}
        self._servers: set[socket.socket] = set()
        self._late: deque[tuple[float, socket.socket, bytes]] = deque()

    def connect(self, client: socket.socket, target: tuple[str, int]) -> None:
        self._peers[client] = None
        self._selector.register(client, selectors.EVENT_READ)
        if self._proxy.is_silent:
            return
        try:
            server = socket.create_connection(target, timeout=5)
        except OSError:
            self._close(client)
            return
        self._peers[client], self._peers[server] = server, client
        self._servers.add(server)
        self._selector.register(server, selectors.EVENT_READ)

    def forward(self, source: socket.socket) -> None:
        if source not in self._peers:
            return  # closed by what was ready just before
        try:
            chunk = source.recv(65_536)
        except OSError:
            chunk = b""
        sink = self._peers[source]
        if not chunk:
            self._close(source)
        elif sink is None:
            return
        elif self._proxy.is_silent:
            self._deafen(source if sink in self._servers else sink)
        else:
            self._pass_on(chunk, source, sink)

    def wait_s(self) -> float | None:
        return max(0.0, self._late[0][0] - time.monotonic()) if self._late else None

    def deliver(self) -> None:
        """Send the replies whose delay is over."""
        while self._late and self._late[0][0] <= time.monotonic():
            _, sink, chunk = self._late.popleft()
            if sink in self._peers:
                self._send(sink, chunk)

    def close_all(self) -> None:
        for end in tuple(self._peers):
            if end in self._peers:
                self._close(end)

    def _pass_on(self, chunk: bytes, source: socket.socket, sink: socket.socket) -> None:
        is_reply = source in self._servers
        keep = (self._proxy.cut_reply if is_reply else self._proxy.cut_command)(chunk)
        if keep is not None:
            self._proxy.cuts += 1
            self._send(sink, chunk[:keep])
            client = sink if is_reply else source
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._close(source)
        elif is_reply and self._proxy.reply_delay_s:
            self._late.append((time.monotonic() + self._proxy.reply_delay_s, sink, chunk))
        else:
            self._send(sink, chunk)

    def _send(self, sink: socket.socket, chunk: bytes) -> None:
        try:
            sink.sendall(chunk)
        except OSError:
            self._close(sink)

    def _deafen(self, client: socket.socket) -> None:
        server, self._peers[client] = self._peers[client], None
        if server is not None:
            self._peers[server] = None
            self._close(server)

    def _close(self, one: socket.socket) -> None:
        for end in (one, self._peers.get(one)):
            if end is not None and end in self._peers:
                self._servers.discard(end)
                with contextlib.suppress(OSError, KeyError):
                    self._selector.unregister(end)
                end.close()
        other = self._peers.pop(one, None)
        if other is not None:
            self._peers.pop(other, None)
