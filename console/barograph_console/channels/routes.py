"""Routes about channels."""

import hashlib
import secrets
import threading
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request

from barograph_console.access.identity import ANONYMOUS, identity_of
from barograph_console.alerts.actions import Key, actor_of
from barograph_console.channels import models
from barograph_console.serving.problems import ApiError, Problem, did_you_mean, suggestions_for
from barograph_console.store.ports import Ports
from barograph_core.clock import Clock
from barograph_core.pipeline.channel_tests import ChannelTest

# A channel may take ten seconds for a message, and there are two.
_WAIT_S: Final = 25
_LOOKS_A_SECOND: Final = 10
# Each waits in a thread of the server.
_AT_ONCE: Final = 4
_ASKED: Final = models.TestRequest()
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Problem, "description": "unknown channel"},
    413: {"model": Problem, "description": "the body is too large"},
    503: {"model": Problem, "description": "no notifier has answered, or the server is gone"},
}


class ChannelRoutes:
    """Answers about channels, and lets a notifier try one. The actor is the name of the token."""

    def __init__(self, ports: Ports, clock: Clock, may_change: Callable[..., None]) -> None:
        self._ports = ports
        self._clock = clock
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self.router = APIRouter(tags=["alerts"])
        self.router.add_api_route(
            "/channels", self.all, operation_id="listChannels", summary="The channels, and what waits for each"
        )
        self.router.add_api_route(
            "/channels/{name}/test",
            self.test,
            methods=["POST"],
            dependencies=[Depends(may_change)],
            operation_id="sendTestMessage",
            summary="Send a marked sample through a channel, and say what came back",
            responses=_REFUSALS,
        )

    def all(self) -> models.Channels:
        return models.Channels(at_ms=self._clock.now_ms(), channels=self._rows())

    def test(
        self,
        request: Request,
        name: Annotated[str, Path(max_length=64, description="name of the channel")],
        body: models.TestRequest = _ASKED,
        idempotency_key: Key = "",
    ) -> models.Tested:
        actor = actor_of(request, body.actor)
        known = [row.name for row in self._rows()]
        if name not in known:
            hint = did_you_mean(suggestions_for(name, known))
            raise ApiError(404, "unknown_channel", f"there is no channel {name!r}{hint}")
        if not self._places.acquire(blocking=False):
            raise _busy("other tests are under way")
        try:
            return self._test(ChannelTest(self._id_of(request, idempotency_key), name, actor, self._clock.now_ms()))
        finally:
            self._places.release()

    def _test(self, test: ChannelTest) -> models.Tested:
        if not self._ports.channels.ask(test):
            raise _busy(f"other tests wait for channel {test.channel!r}")
        pause = threading.Event()
        for _ in range(_WAIT_S * _LOOKS_A_SECOND):
            tried = self._ports.channels.answer_to(test.test_id)
            if tried is not None:
                rows = [
                    models.TriedRow(status=one.status, result=one.result, answer=one.answer, took_ms=one.took_ms)
                    for one in tried
                ]
                return models.Tested(channel=test.channel, messages=rows)
            pause.wait(1 / _LOOKS_A_SECOND)
        message = f"no notifier has tried channel {test.channel!r} within {_WAIT_S} s: is one running?"
        raise ApiError(503, "no_notifier", message)

    def _id_of(self, request: Request, key: str) -> str:
        """Return the id of a test; the same for each attempt of a request that has a key."""
        who = (identity_of(request) or ANONYMOUS).token_id
        return hashlib.sha256(f"{who}\n{key or secrets.token_hex(16)}\ntest".encode()).hexdigest()[:32]

    def _rows(self) -> list[models.ChannelRow]:
        found: dict[str, models.ChannelRow] = {}
        for channel in (one for status in self._ports.pipeline.read() for one in status.channels):
            before = found.get(channel.name)
            sent, failed, dead = (channel.deliveries.get(result, 0) for result in ("sent", "retry", "dead"))
            found[channel.name] = models.ChannelRow(
                name=channel.name,
                waiting=channel.waiting + (before.waiting if before else 0),
                oldest_ms=max(channel.oldest_ms, before.oldest_ms if before else 0),
                sent=sent + (before.sent if before else 0),
                failed=failed + (before.failed if before else 0),
                dead=dead + (before.dead if before else 0),
            )
        return [found[name] for name in sorted(found)]


def _busy(why: str) -> ApiError:
    return ApiError(429, "busy", why, headers={"Retry-After": "5"})
