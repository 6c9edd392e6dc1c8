"""The routes of ``/hooks``: each is there only when its secret is set, and asks for a signature instead of a token."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from barograph_console.access.identity import RouteRule
from barograph_console.hooks.asked import Asked, UnreadableError, is_in_episode
from barograph_console.hooks.pagerduty import read_pagerduty
from barograph_console.hooks.signature import SignatureError, check_pagerduty, check_slack
from barograph_console.hooks.slack import read_slack
from barograph_console.serving.problems import RETRY_AFTER_S, ApiError
from barograph_console.settings import ConsoleSettings
from barograph_console.store.ports import Ports
from barograph_core.alerts.actions import (
    AlertConflictError,
    AlertNotFoundError,
    AlertStateError,
    KeyReusedError,
    Once,
)
from barograph_core.clock import Clock

log = logging.getLogger(__name__)
_PREFIX: Final = "/hooks"
RULES: Final = (RouteRule(path=f"{_PREFIX}/", max_body_bytes=65_536),)


class HookRoutes:
    """Changes alerts as people ask in Slack and PagerDuty."""

    def __init__(self, ports: Ports, settings: ConsoleSettings, clock: Clock) -> None:
        self._ports = ports
        self._settings = settings
        self._clock = clock
        # Requests that changed nothing, by tool and reason.
        self._ignored: Counter[tuple[str, str]] = Counter()
        # Slack and PagerDuty describe these bodies; our description holds our own.
        self.router = APIRouter(prefix=_PREFIX, include_in_schema=False)
        for path, route, secret in (
            ("/slack", self.slack, settings.slack_signing_secret),
            ("/pagerduty", self.pagerduty, settings.pagerduty_signing_secret),
        ):
            if secret:
                self.router.add_api_route(path, route, methods=["POST"], response_model=None)

    async def slack(self, request: Request) -> Response:
        body, now_ms = await request.body(), self._clock.now_ms()

        def read() -> Asked | None:
            check_slack(self._settings.slack_signing_secret, request.headers, body, now_ms)
            return read_slack(body)

        return await self._answer("Slack", read, now_ms)

    async def pagerduty(self, request: Request) -> Response:
        body, now_ms = await request.body(), self._clock.now_ms()

        def read() -> Asked | None:
            check_pagerduty(self._settings.pagerduty_signing_secret, request.headers, body)
            return read_pagerduty(body, now_ms)

        return await self._answer("PagerDuty", read, now_ms)

    async def _answer(self, tool: str, read: Callable[[], Asked | None], now_ms: int) -> Response:
        """Answer with nothing: what else Slack gets, it shows to the person or takes for a failure.

        Raises:
            ApiError: 401 without a good signature, 400 for what cannot be read, 503 for what may be tried again.
        """
        try:
            asked = read()
        except SignatureError as error:
            log.warning("console.hook_refused", extra={"tool": tool, "reason": str(error)})
            raise ApiError(401, "bad_signature", str(error)) from error
        except UnreadableError as error:
            raise ApiError(400, "unreadable", str(error)) from error
        reason = "" if asked is None else await run_in_threadpool(self._change, tool, asked, now_ms)
        if reason:
            self._ignored[tool, reason] += 1
            ignored = self._ignored[tool, reason]
            log.warning("console.hook_ignored", extra={"tool": tool, "reason": reason, "ignored": ignored})
        return Response(status_code=200)

    def _change(self, tool: str, asked: Asked, now_ms: int) -> str:
        """Change the alert; return why nothing was to be changed, which no further attempt would mend."""
        once = Once.of(f"{_PREFIX} {tool}", asked.key, [asked.action, asked.alert_id, asked.episode])
        alert_id = asked.alert_id or self._alert_in(asked.episode)
        try:
            self._ports.alerts.change(alert_id, lambda record: asked.decide(record, tool=tool, now_ms=now_ms), once)
        except AlertNotFoundError:
            return "unknown_alert"
        except AlertStateError:
            return "other_state_or_episode"
        except KeyReusedError:
            return "key_reused"
        except AlertConflictError as error:
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            raise ApiError(503, "conflict", str(error), headers=headers) from error
        return ""

    def _alert_in(self, episode: str) -> str:
        """Return the alert that is in an episode; empty when none is any more."""
        records = self._ports.alerts.records(list(self._ports.panes.services()))
        return next((one.alert_id for one in records if is_in_episode(one, episode)), "")
