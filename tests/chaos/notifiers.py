"""Notifier processes that are killed again and again, and the receiver of their webhooks."""

import contextlib
import json
import multiprocessing
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from barograph_core.alerts.transition import Transition
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_list
from barograph_notifier.__main__ import main
from tests.support import valkey_server
from tests.unit.notifier.samples import FIRING, RESOLVED, flagged, transition

KEYS = ShardKeys()
CHANNEL = "hook"
# A forked process has its modules already: hundreds of kills would wait for hundreds of starts otherwise.
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass
class Book:
    """What the receiver got, in order.

    Attributes:
        rows: (idempotency key, alert, status) of each request; of one to PagerDuty (both, deduplication key, action).
    """

    rows: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, body: bytes) -> None:
        given = json.loads(body)
        with self.lock:
            if "event_action" in given:
                about, what = given["dedup_key"], given["event_action"]
                self.rows.append((f"{about} {what}", about, what))
            else:
                self.rows.append((given["key"], given["alert"]["id"], given["status"]))

    @property
    def applied(self) -> list[tuple[str, str, str]]:
        """Return what an idempotent receiver would do: each key once."""
        with self.lock:
            return list(dict.fromkeys(self.rows))

    @property
    def doubles(self) -> int:
        """Return how many requests repeated a key."""
        with self.lock:
            return len(self.rows) - len({key for key, _, _ in self.rows})


@contextlib.contextmanager
def running_book(delay_s: float = 0.0) -> Generator[tuple[Book, int]]:
    """Receive webhooks on kept connections, each answered after ``delay_s``; yield the book and the port."""
    book, pause = Book(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            book.add(self.rfile.read(int(self.headers["Content-Length"])))
            pause.wait(delay_s)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay quiet."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """Stay quiet: killed notifiers leave broken connections behind."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield book, server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Pack:
    """Notifiers on one server, and the alerts that they deliver."""

    url: str
    config: Path
    book: Book
    connection: Connection
    run: Callable[[Sequence[str]], object]
    processes: list[ForkServerProcess] = field(default_factory=list[ForkServerProcess])
    kills: int = 0

    def start(self) -> None:
        argv = ["--url", self.url, "--config", str(self.config), "--log-level", "warning"]
        argv += ["--retry-first-ms", "50", "--poll-ms", "50"]
        process = _CONTEXT.Process(target=self.run, args=(argv,))
        process.start()
        self.processes.append(process)

    def kill(self, index: int) -> None:
        """Kill one with SIGKILL and start another in its place."""
        process = self.processes.pop(index)
        process.kill()
        process.join()
        self.kills += 1
        self.start()

    def fire(self, alert: str) -> None:
        self._write(transition(FIRING, alert=alert))

    def end(self, alert: str) -> None:
        self._write(transition(RESOLVED, alert=alert, number=2))

    def take_on(self, alert: str) -> None:
        """Acknowledge an alert, as a person does."""
        self._write(flagged(alert=alert))

    def _write(self, one: Transition) -> None:
        self.connection.command("XADD", KEYS.alerts, "*", *one.to_fields())

    def recorded(self) -> Counter[tuple[str, str]]:
        """Return how often the deliveries stream says (transition, sent | suppressed | dead)."""
        rows = [
            as_hash(as_list(row)[1]) for row in as_list(self.connection.command("XRANGE", KEYS.deliveries, "-", "+"))
        ]
        return Counter(
            (row["transition"].decode(), row["result"].decode()) for row in rows if row["result"] != b"retry"
        )


@contextlib.contextmanager
def running_pack(
    folder: Path,
    count: int,
    *,
    delay_s: float = 0.0,
    run: Callable[[Sequence[str]], object] = main,
    kind: str = 'type = "webhook"',
) -> Generator[Pack]:
    """Start ``count`` notifiers of one channel of ``kind``, lines of its entry, on a server of their own."""
    _CONTEXT.set_forkserver_preload(["barograph_notifier.__main__", "tests.chaos.notifiers"])
    with valkey_server() as url, running_book(delay_s) as (book, port):
        connection = Connection.open(url)
        ensure_library(connection)
        connection.command("XGROUP", "CREATE", KEYS.alerts, f"notifier:{CHANNEL}", "0", "MKSTREAM")
        config = folder / "barograph.toml"
        config.write_text(
            f'[[channel]]\nname = "{CHANNEL}"\n{kind}\nurl = "http://127.0.0.1:{port}/"\nallow_private = true\n'
        )
        pack = Pack(url, config, book, connection, run)
        for _ in range(count):
            pack.start()
        try:
            yield pack
        finally:
            for process in pack.processes:
                process.kill()
                process.join()
            connection.close()
