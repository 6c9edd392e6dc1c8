"""What passes the gate, and what is refused before anything of it is read."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from barograph_console.access.building import build_access
from barograph_console.access.identity import RouteRule, identity_of
from barograph_console.settings import ConsoleSettings
from barograph_core.access.token import Role, digest_of
from tests.support import FakeClock
from tests.unit.console.fakes import FakeAccess

ADMIN = "admin-secret"
BEARER = {"authorization": f"Bearer {ADMIN}"}


@dataclass
class Behind:
    """An application behind the gate that notes what reaches it."""

    settings: ConsoleSettings = field(default_factory=lambda: ConsoleSettings(admin_token_sha256=digest_of(ADMIN)))
    rules: tuple[RouteRule, ...] = ()
    bodies: list[bytes] = field(default_factory=list[bytes])
    names: list[str | None] = field(default_factory=list[str | None])
    received: int = 0

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        identity = identity_of(HTTPConnection(scope))
        self.names.append(None if identity is None else identity.name)
        message = await receive()
        self.bodies.append(message.get("body", b""))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def call(
        self,
        method: str = "GET",
        path: str = "/api/v1/anything",
        headers: Mapping[str, str] | None = None,
        body: tuple[bytes, ...] = (),
        query: bytes = b"",
        scheme: str = "http",
    ) -> tuple[int, dict[str, str]]:
        """Send a request, its body in pieces that come as they are asked for; return status and headers."""
        gate = build_access(self.settings, FakeAccess(), FakeClock()).gate(self.app, "/api/v1", self.rules)
        given = {"host": "127.0.0.1:8642", **(headers or {})}
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "scheme": scheme,
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("192.0.2.1", 5),
        }
        pieces = list(body)
        sent: list[Message] = []

        async def receive() -> Message:
            self.received += 1
            piece = pieces.pop(0) if pieces else b""
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(gate(scope, receive, send))
        return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


CHUNKED = {"transfer-encoding": "chunked"}


def test_without_a_token_no_byte_of_a_body_is_read() -> None:
    """Ten gigabytes from somebody without a token cost nothing: the answer is there before the first is asked for."""
    behind = Behind()
    status, _ = behind.call("POST", headers=CHUNKED, body=(b"x" * 1_000,) * 10)
    assert (status, behind.received, behind.bodies) == (401, 0, [])


def test_a_body_that_is_announced_as_too_long_is_not_read() -> None:
    behind = Behind()
    status, _ = behind.call("POST", headers={**BEARER, "content-length": "8193"}, body=(b"x" * 8_193,))
    assert (status, behind.received) == (413, 0)


def test_a_body_of_unknown_length_is_read_as_far_as_its_bound() -> None:
    """It is refused with the piece that goes beyond, and the route never hears of it."""
    behind = Behind()
    status, _ = behind.call("POST", headers={**BEARER, **CHUNKED}, body=(b"x" * 4_096,) * 100)
    assert (status, behind.received, behind.bodies) == (413, 3, [])


def test_a_body_within_its_bound_reaches_the_route_whole() -> None:
    behind = Behind()
    status, _ = behind.call("POST", headers={**BEARER, **CHUNKED}, body=(b"ab", b"cd"))
    assert (status, behind.bodies, behind.names) == (204, [b"abcd"], ["admin"])


def test_a_route_may_take_more() -> None:
    behind = Behind(rules=(RouteRule(path="/api/v1/ingest", roles=frozenset({Role.ADMIN}), max_body_bytes=20_000),))
    long = (b"x" * 20_000,)
    assert behind.call("POST", "/api/v1/ingest", {**BEARER, "content-length": "20000"}, long)[0] == 204
    assert behind.call("POST", "/api/v1/other", {**BEARER, "content-length": "20000"}, long)[0] == 413


@pytest.mark.parametrize("length", ["-1", "1e9", "0x10", "", "9" * 400, "²"])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    status, _ = Behind().call("POST", headers={**BEARER, "content-length": length.encode().decode("latin-1")})
    assert status in (400, 413)


def test_long_first_lines_and_headers_are_refused_before_the_token_is_looked_at() -> None:
    behind = Behind()
    assert behind.call(query=b"x" * 8_192)[0] == 414
    assert behind.call(path=f"/{'x' * 8_192}")[0] == 414
    assert behind.call(headers={"x-long": "x" * 16_384})[0] == 431
    assert behind.call(headers={f"x-{number}": "" for number in range(101)})[0] == 431


@pytest.mark.parametrize(
    "path",
    [
        "/docs",
        "/openapi.json",
        "/api/v1/openapi.json",
        "/api/v1/to-come",
        "//livez",
        "/livez/",
        "/livez/../metrics",
        "/metrics",
        "/LIVEZ",
        "/api/v1/session/",
        "/static",
    ],
)
def test_what_no_rule_opens_needs_a_token(path: str) -> None:
    """A route that is added tomorrow is closed, and so is everything that looks like an open one."""
    behind = Behind()
    assert behind.call(path=path)[0] == 401
    assert behind.names == []


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/-/healthy", "/-/ready", "/static/page.css", "/api/v1/session"])
def test_health_files_and_signing_in_need_none(path: str) -> None:
    assert Behind().call(path=path)[0] == 204


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "ANYTHING"])
def test_whatever_may_change_something_needs_an_admin(method: str) -> None:
    behind = Behind(settings=ConsoleSettings(read_token_sha256=digest_of(ADMIN)))
    assert behind.call("GET", headers=BEARER)[0] == 204
    assert behind.call("HEAD", headers=BEARER)[0] == 204
    assert behind.call(method, headers=BEARER)[0] == 403


@pytest.mark.parametrize("path", ["/livez", "/static/x.css", "/api/v1/anything", "/"])
def test_every_answer_bears_the_headers_of_safety(path: str) -> None:
    """Refusals as well: a browser shows those too."""
    _, headers = Behind().call(path=path)
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert headers["content-security-policy"].endswith("require-trusted-types-for 'script'; trusted-types 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(("scheme", "forwarded"), [("https", "http"), ("http", "https")])
def test_over_tls_browsers_are_told_to_stay_there(scheme: str, forwarded: str) -> None:
    _, headers = Behind().call(scheme=scheme, headers={"x-forwarded-proto": forwarded})
    assert headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "Basic admin-secret", "admin-secret", "Bearer admin-secret x", "Token admin-secret"]
)
def test_only_a_whole_bearer_token_counts(given: str) -> None:
    assert Behind().call(headers={"authorization": given})[0] == 401


def test_a_bearer_needs_no_origin_and_no_header_of_ours() -> None:
    """No browser sends such a token by itself, so a page elsewhere cannot make use of it."""
    assert Behind().call("POST", headers={**BEARER, "origin": "https://elsewhere.example"})[0] == 204
