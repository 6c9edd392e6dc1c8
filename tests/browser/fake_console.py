"""A console without a pipeline: it serves the page under the real policy, and answers from a ``Ranker``."""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

import barograph_console
from barograph_console.page.assets import load_assets
from tests.browser.ranker import COLUMNS, Ranker
from tests.browser.ranker_traffic import MINUTE_MS
from tests.support import free_port

PAGE: Final = Path(barograph_console.__file__).parent / "page"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
# The token that opens the fake.
RIGHT: Final = "baro_right"
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass
class Behaviour:
    """What the console does wrong, on demand.

    Attributes:
        is_empty: No service but the pipeline's own was ever seen.
        is_deaf: Sockets are closed and not accepted again.
        has_stopped: No pane is closed any more: the clock of the figures stands at this time.
        problem: Every question is answered with this status and code.
        failing: Paths that are answered with 500.
        wants_token: Questions without a session are 401.
        role: Of whoever asks.
        tick_s: Seconds between ticks.
    """

    is_empty: bool = False
    is_deaf: bool = False
    has_stopped: int | None = None
    problem: tuple[int, str] | None = None
    failing: set[str] = field(default_factory=set[str])
    wants_token: bool = False
    role: str = "admin"
    name: str = "mira"
    tick_s: float = 1.0
    seq: int = 8_000
    posted: list[str] = field(default_factory=list[str])
    keys: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])


class FakeConsole:
    """Serves one ``Ranker`` on a port of its own, in a thread."""

    def __init__(
        self, ranker: Ranker, behaviour: Behaviour | None = None, *, is_single: bool = True, port: int = 0
    ) -> None:
        self.ranker = ranker
        self.behaviour = behaviour or Behaviour()
        self._is_single = is_single
        self._assets = load_assets(PAGE)
        self.port = port or free_port()
        self._sockets: dict[WebSocket, str] = {}
        # Messages reach every socket in the order of their numbers.
        self._in_order = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def app(self) -> Starlette:
        routes = [
            Route("/", self._page),
            Route("/static/{path:path}", self._static),
            Route("/api/v1/{path:path}", self._api, methods=["GET", "POST", "DELETE"]),
            WebSocketRoute("/api/v1/live", self._live),
        ]
        return Starlette(routes=routes, lifespan=self._ticking)

    @contextlib.contextmanager
    def running(self) -> Generator["FakeConsole"]:
        config = uvicorn.Config(
            self.app(), host="127.0.0.1", port=self.port, log_level="critical", ws_per_message_deflate=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield self
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join(timeout=60)

    def cut(self) -> None:
        """Close all sockets, and take no more."""
        self.behaviour.is_deaf = True
        loop = self._loop
        for socket in list(self._sockets):
            if loop is not None:
                asyncio.run_coroutine_threadsafe(socket.close(1001), loop)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message of the live socket to everybody, with the next sequence number."""
        loop = self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._say(message), loop).result(30)

    async def _say(self, message: dict[str, Any]) -> None:
        row = message.get("alert")
        if row and row["state"] != "resolved" and row["id"] not in {one["id"] for one in self.ranker.alerts()}:
            self.ranker.extra_alerts.append(row)
        async with self._in_order:
            self.behaviour.seq += 1
            for socket in list(self._sockets):
                await self._send(socket, {"service": self.ranker.service, **message, "seq": self.behaviour.seq})

    def now_ms(self) -> int:
        return self.behaviour.has_stopped or time.time_ns() // 1_000_000

    async def _page(self, _request: Request) -> Response:
        return Response(self._assets.pages["index.html"].body, headers=_headers("text/html; charset=utf-8"))

    async def _static(self, request: Request) -> Response:
        name = request.path_params["path"]
        asset = self._assets.hashed.get(name)
        if asset is not None:
            return Response(asset.body, headers=_headers(asset.content_type))
        # Modules by themselves, for tests that import one.
        path = PAGE / name
        if path.suffix not in _TYPES or not path.is_file():
            return Response(status_code=404)
        # Read at once: a streamed file stays open when the server ends in the middle of it.
        return Response(path.read_bytes(), headers=_headers(_TYPES[path.suffix]))

    async def _api(self, request: Request) -> Response:
        path, asked, behaviour = request.path_params["path"], request.query_params, self.behaviour
        behaviour.asked.append(f"{request.method} {path}")
        if request.method == "POST":
            return await self._post(path, request)
        if request.method == "DELETE":
            behaviour.posted.append(path)
            self.ranker.silenced = [one for one in self.ranker.silenced if one["id"] != path.split("/")[1]]
            return JSONResponse({}, background=BackgroundTask(self._say_silences))
        if behaviour.wants_token:
            return _problem(401, "unauthorized", "a token is wanted")
        if path in behaviour.failing:
            return _problem(500, "internal_error", "not now")
        if behaviour.problem:
            return _problem(*behaviour.problem, "not now")
        now_ms, ranker = self.now_ms(), self.ranker
        if asked.get("service") not in (None, ranker.service):
            return _problem(404, "unknown_service", "no such service")
        answers: dict[str, Callable[[], object]] = {
            "services": lambda: {"at_ms": time.time_ns() // 1_000_000, "services": self._cards()},
            "overview": lambda: ranker.overview(dict(asked), now_ms, behaviour.seq),
            "alerts/history": lambda: {"entries": ranker.history(), "next_before": None},
            "deliveries": lambda: {"deliveries": ranker.deliveries()},
            "slos": lambda: {"at_ms": now_ms, "slos": ranker.slos(), "total": len(ranker.slos())},
            "silences": lambda: {"silences": list(ranker.silenced)},
            "channels": lambda: {"channels": _channels()},
            "endpoints": lambda: {"endpoints": _table(ranker, now_ms, int(asked["limit"]))},
            "rules": lambda: {"rules": [{"name": f"rule-{i}", "service": ""} for i in range(14)]},
            "pipeline/summary": lambda: ranker.pipeline(now_ms),
            "contributors": lambda: _contributors(int(asked["from"]), int(asked["to"]), asked["of"]),
            "session": lambda: {"name": behaviour.name, "role": behaviour.role},
        }
        if path in answers:
            return JSONResponse(answers[path]())
        alert = ranker.alert(path.removeprefix("alerts/"), now_ms)
        return JSONResponse(alert) if alert else _problem(404, "unknown_alert", "no such alert")

    async def _post(self, path: str, request: Request) -> Response:
        if path != "silences/preview":
            # A preview changes nothing.
            self.behaviour.posted.append(path)
        if request.headers.get("x-barograph") != "1":
            return _problem(403, "csrf", "the header is missing")
        if path == "session":
            if (await request.json()) != {"token": RIGHT}:
                return _problem(401, "unauthorized", "not valid")
            self.behaviour.wants_token = False
            return JSONResponse({"name": "mira", "role": self.behaviour.role})
        if self.behaviour.role != "admin":
            return _problem(403, "forbidden", "this needs the admin role")
        if path == "silences/preview":
            return JSONResponse({"alerts": 1, "ids": []})
        self.behaviour.keys.append(request.headers["idempotency-key"])
        if path.startswith("channels/"):
            return JSONResponse({"channel": path.split("/")[1], "messages": _tried(path.split("/")[1])})
        if path == "silences":
            made = self._silence(await request.json())
            return JSONResponse(made, background=BackgroundTask(self._say_silences))
        return self._act(path.split("/")[1], path.split("/")[2], await request.json())

    def _silence(self, asked: dict[str, Any]) -> dict[str, Any]:
        matchers = [f"{one['name']}={one['value']}" for one in asked["matchers"]]
        lasts_ms = {"1h": 60, "4h": 240}.get(asked["lasts"])
        made = {
            "id": f"s{len(self.ranker.silenced)}", "matchers": matchers, "actor": asked.get("actor", "mira"),
            "comment": asked["comment"], "starts_at_ms": self.now_ms(), "state": "active",
            "ends_at_ms": None if lasts_ms is None else self.now_ms() + lasts_ms * MINUTE_MS,
        }  # fmt: skip
        self.ranker.silenced.append(made)
        return made

    async def _say_silences(self) -> None:
        """Say which silences there are now and what they mute, as the hub does."""
        muted = {one["id"]: one["silenced_by"] for one in self.ranker.alerts() if one["silenced_by"]}
        await self._say({"type": "silence", "silences": list(self.ranker.silenced), "silenced": muted, "changes": []})

    def _act(self, alert_id: str, action: str, asked: dict[str, str]) -> Response:
        ranker = self.ranker
        row = next((one for one in ranker.alerts() if one["id"] == alert_id), None)
        if row is None:
            return _problem(409, "conflict", "it is not active any more")
        if action == "ack" and row["ack"]:
            return _problem(409, "conflict", f"{row['ack']['actor']} looks after it already")
        changed = dict(row)
        if action == "ack":
            said = {"until_ms": None, "note": asked["note"]}
            changed["ack"] = ranker.acked[alert_id] = {
                "actor": asked.get("actor", "mira"),
                "at_ms": self.now_ms(),
                **said,
            }
        elif action == "unack":
            changed["ack"] = None
            ranker.acked.pop(alert_id, None)
        else:
            ranker.resolved.add(alert_id)
            changed["state"] = "resolved"
        message = {"type": "alert", "alert": changed, "change": {"from": "firing", "to": changed["state"]}}
        return JSONResponse({"transition": "t", "alert": changed}, background=BackgroundTask(self._say, message))

    async def _live(self, socket: WebSocket) -> None:
        behaviour = self.behaviour
        if behaviour.is_deaf:
            return await socket.close(1001)
        await socket.accept()
        if behaviour.wants_token:
            return await socket.close(4401)
        await socket.send_text(
            json.dumps(
                {
                    "type": "hello",
                    "protocol": 1,
                    "epoch": self.ranker.epoch,
                    "tick_ms": 1000,
                    "name": behaviour.name,
                    "role": behaviour.role,
                    "version": "0.2.0",
                }
            )
        )
        try:
            while True:
                topic = (await socket.receive_json())["service"]
                async with self._in_order:
                    await self._send(socket, self._snapshot(topic))
                    self._sockets[socket] = topic
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets.pop(socket, None)

    def _snapshot(self, topic: str) -> dict[str, Any]:
        if topic == "*":
            return self._card_tick()
        return {
            "type": "snapshot",
            "service": topic,
            "seq": self.behaviour.seq,
            "state": self.ranker.standing(self.now_ms()),
        }

    def _card_tick(self) -> dict[str, Any]:
        return {
            "type": "tick",
            "service": "*",
            "seq": self.behaviour.seq,
            "at_ms": time.time_ns() // 1_000_000,
            "cards": self._cards(),
        }

    def _cards(self) -> list[dict[str, Any]]:
        cards = self.ranker.cards(self.now_ms())
        if self.behaviour.is_empty:
            # The pipeline reports on itself from its first second on.
            return [card for card in cards if card["is_internal"]]
        return cards[:1] if self._is_single else cards

    @contextlib.asynccontextmanager
    async def _ticking(self, _app: Starlette) -> AsyncGenerator[None]:
        """Send the same tick to everybody once a second, as the hub does."""
        self._loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._tick())
        yield
        task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self.behaviour.tick_s)
            async with self._in_order:
                await self._tick_once()

    async def _tick_once(self) -> None:
        self.behaviour.seq += 1
        tick = {**self.ranker.tick(self.now_ms(), self.behaviour.seq), "at_ms": time.time_ns() // 1_000_000}
        for socket, topic in list(self._sockets.items()):
            await self._send(socket, self._card_tick() if topic == "*" else tick)

    @staticmethod
    async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_text(json.dumps(message))


def _headers(content_type: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": POLICY,
        "Content-Type": content_type,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def _table(ranker: Ranker, now_ms: int, limit: int) -> dict[str, Any]:
    return {"columns": COLUMNS, "rows": ranker.endpoint_rows(now_ms)[:limit], "total": len(ranker.routes)}


def _problem(status: int, code: str, detail: str) -> Response:
    body = {"type": f"urn:barograph:{code}", "title": code, "status": status, "detail": detail, "code": code}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _channels() -> list[dict[str, Any]]:
    row = {"waiting": 0, "oldest_ms": 0, "sent": 214, "failed": 2, "dead": 0}
    return [{"name": "pager", **row, "waiting": 3, "oldest_ms": 95_000, "dead": 1}, {"name": "slack", **row}]


def _tried(channel: str) -> list[dict[str, Any]]:
    if channel == "pager":
        return [{"status": "firing", "result": "refused", "answer": "http 403: no such key", "took_ms": 148}]
    return [
        {"status": "firing", "result": "sent", "answer": "http 200", "took_ms": 212},
        {"status": "resolved", "result": "sent", "answer": "http 200", "took_ms": 95},
    ]


def _contributors(from_ms: int, to_ms: int, of: str) -> dict[str, Any]:
    return {
        "of": of,
        "inside": {"from_ms": from_ms, "to_ms": to_ms, "amount": 577},
        "before": {"from_ms": 2 * from_ms - to_ms, "to_ms": from_ms, "amount": 12},
        "shares": [
            {"label": "version", "value": "8", "inside_ratio": 0.96, "before_ratio": 0.08},
            {"label": "route", "value": "/predict", "inside_ratio": 0.98, "before_ratio": 0.41},
        ],
    }
