"""A TCP proxy between a producer and the server that loses replies, cuts connections and goes away."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from tests.support import free_port

# Says whether the connection is to be cut after so many more bytes of a reply; None passes all of it.
Cut = Callable[[bytes], int | None]


class FaultyProxy:
    """Forwards bytes both ways until told otherwise.

    Attributes:
        cut_reply: Looks at each chunk of a reply.
        cuts: How many connections it has cut.
    """

    def __init__(self, target_url: str) -> None:
        parts = urlsplit(target_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self.port = free_port()
        self.cut_reply: Cut = lambda _: None
        self.cuts = 0
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

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
            thread.join(10)
            listener.close()

    def __enter__(self) -> "FaultyProxy":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self, listener: socket.socket) -> None:
        peers: dict[socket.socket, socket.socket] = {}
        upstream: set[socket.socket] = set()
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)

            def close(one: socket.socket) -> None:
                for end in (one, peers.pop(one)):
                    peers.pop(end, None)
                    upstream.discard(end)
                    selector.unregister(end)
                    end.close()

            while True:
                for key, _ in selector.select():
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is listener:
                        try:
                            client, _ = listener.accept()
                        except OSError:
                            for end in tuple(peers):
                                if end in peers:
                                    close(end)
                            return
                        server = socket.create_connection(self._target)
                        peers[client], peers[server] = server, client
                        upstream.add(server)
                        selector.register(client, selectors.EVENT_READ)
                        selector.register(server, selectors.EVENT_READ)
                    elif ready in peers and not self._forward(ready, peers[ready], is_reply=ready in upstream):
                        close(ready)

    def _forward(self, source: socket.socket, sink: socket.socket, *, is_reply: bool) -> bool:
        """Pass one chunk on; say whether the connection goes on."""
        with contextlib.suppress(OSError):
            chunk = source.recv(65_536)
            if not chunk:
                return False
            keep = self.cut_reply(chunk) if is_reply else None
            if keep is not None:
                self.cuts += 1
                sink.sendall(chunk[:keep])
                return False
            sink.sendall(chunk)
            return True
        return False
