"""Whatever a console answers, or does not answer, becomes figures or a sentence with its mend."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.source import Source
from tests.support import free_port

Reply = tuple[int, dict[str, str], bytes]
PLAIN = {"Content-Type": "text/html"}


@contextmanager
def answering(reply: Callable[[str, str], Reply]) -> Generator[str, None, None]:
    """Run a server that answers each GET with what ``reply`` returns for its path and its Authorization."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = reply(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def problem(status: int, code: str, detail: str = "") -> Reply:
    body = {"type": f"urn:barograph:{code}", "title": code, "status": status, "code": code, "detail": detail}
    return status, {"Content-Type": "application/problem+json"}, json.dumps(body).encode()


def refusal(reply: Reply, token: str = "") -> ConsoleError:
    with answering(lambda _path, _token: reply) as url, pytest.raises(ConsoleError) as caught:
        ConsoleClient(Source(url, token), "explore").get("/query")
    return caught.value


def test_parameters_and_the_token_are_sent_and_empty_ones_left_out() -> None:
    asked: list[tuple[str, str]] = []

    def reply(path: str, token: str) -> Reply:
        asked.append((path, token))
        return 200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"service": "ranker"}')

    with answering(reply) as url:
        client = ConsoleClient(Source(url, "baro_secret"), "explore")
        found = client.get(
            "/query", [("service", "ranker"), ("by", ""), ("where", "route=/a b"), ("where", "method=GET")]
        )
    assert found.text("service") == "ranker"
    assert asked == [("/api/v1/query?service=ranker&where=route%3D%2Fa+b&where=method%3DGET", "Bearer baro_secret")]


@pytest.mark.parametrize(
    ("reply", "token", "sentence", "mend"),
    [
        (problem(401, "unauthorized"), "", "asks for a token", "barograph token create"),
        (problem(401, "unauthorized"), "t", "refuses the token", "barograph token create"),
        (problem(403, "forbidden", "this needs the role admin"), "t", "needs the role admin", "role read"),
        (problem(404, "unknown_service"), "", "no longer knows this service", "Choose another"),
        (problem(404, "not_found"), "", "has no /query", "same version"),
        (problem(422, "bad_step", "ask a larger step"), "", "ask a larger step", "another range"),
        (problem(429, "too_many"), "", "too many questions", "asked again"),
        (problem(503, "loading", "the server is loading"), "", "the server is loading", "barograph status"),
        (problem(500, "internal_error"), "", "status 500", "log"),
        ((502, PLAIN, b"<html>Bad gateway</html>"), "", "is not a barograph console", "--console"),
        ((200, PLAIN, b"<html>Hello</html>"), "", "is not a barograph console", "--console"),
        ((200, PLAIN, b"[1]"), "", "is not a barograph console", "--console"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_mend(reply: Reply, token: str, sentence: str, mend: str) -> None:
    error = refusal(reply, token)
    assert sentence in error.sentence
    assert mend in error.mend


def test_a_redirect_is_not_followed() -> None:
    """The token would go to whom it leads."""
    asked: list[str] = []

    def reply(path: str, _token: str) -> Reply:
        asked.append(path)
        return 302, {"Location": "/elsewhere"}, b""

    with answering(reply) as url, pytest.raises(ConsoleError, match="is not a barograph console"):
        ConsoleClient(Source(url, "baro_secret"), "explore").get("/query")
    assert asked == ["/api/v1/query"]


def test_a_console_that_is_gone_is_a_sentence() -> None:
    with pytest.raises(ConsoleError) as caught:
        ConsoleClient(Source(f"http://127.0.0.1:{free_port()}"), "explore").get("/services")
    assert "No console answers" in caught.value.sentence
    assert "barograph up" in caught.value.mend


def acked(*attempts: tuple[int, bytes] | None) -> list[tuple[str, bytes]]:
    """Acknowledge an alert at a console that gives these answers in turn, and return key and body of each request.

    ``None`` is an answer that is lost.
    """
    seen: list[tuple[str, bytes]] = []
    left = list(attempts)
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for attempt in left:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                headers = dict(
                    line.decode().strip().split(": ", 1) for line in iter(lines.readline, b"\r\n") if b": " in line
                )
                seen.append((headers["Idempotency-Key"], lines.read(int(headers["Content-Length"]))))
                if attempt is not None:
                    status, body = attempt
                    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                    connection.sendall(head.encode() + body)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        ConsoleClient(Source(f"http://127.0.0.1:{server.getsockname()[1]}"), "top").post(
            "/alerts/a/ack", {"actor": "mira"}
        )
    finally:
        thread.join()
        server.close()
    return seen


def test_a_change_whose_answer_is_lost_is_asked_for_again_with_its_key() -> None:
    first, second = acked(None, (200, b"{}"))
    assert first == second
    assert json.loads(first[1]) == {"actor": "mira"}


def test_two_changes_have_two_keys() -> None:
    assert acked((200, b"{}"))[0][0] != acked((200, b"{}"))[0][0]


def test_a_conflict_is_told_in_the_words_of_the_console() -> None:
    with pytest.raises(ConsoleError, match="refuses it: tom looks after it already"):
        acked((409, b'{"detail": "tom looks after it already."}'))


def test_a_field_of_another_type_says_that_versions_differ() -> None:
    with answering(lambda _path, _token: (200, {}, b'{"closed_through_ms": "soon"}')) as url:
        found = ConsoleClient(Source(url), "explore").get("/query")
    with pytest.raises(ConsoleError, match="no closed_through_ms as it is expected here"):
        found.count("closed_through_ms")
