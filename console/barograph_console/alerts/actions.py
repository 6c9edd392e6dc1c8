"""Routes by which people change alerts: acknowledge, take that back, resolve."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request

from barograph_console.access.identity import ANONYMOUS, identity_of
from barograph_console.alerts import models
from barograph_console.alerts.routes import AlertId
from barograph_console.alerts.silence_rows import active_silences
from barograph_console.alerts.view import alert_row
from barograph_console.serving.problems import ApiError, Problem, wrong
from barograph_console.store.ports import Ports
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.actions import AlertConflictError, AlertNotFoundError, KeyReusedError, Once
from barograph_core.alerts.by_hand import HandChange, acknowledge, resolve_by_hand, unacknowledge
from barograph_core.alerts.record import AlertRecord
from barograph_core.clock import Clock
from barograph_core.text.durations import parse_duration_ms

# A longer one is a slip; who means "for good" says until resolved.
_LONGEST_ACK_MS: Final = 365 * 86_400_000
# What a request without a body says.
_WORDLESS: Final = models.ActionRequest()
_ACK: Final = models.AckRequest()
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="the same at each attempt: what was applied is not applied again within a day",
    ),
]


class ActionRoutes:
    """Changes alerts. The actor is the name of the token."""

    def __init__(self, ports: Ports, clock: Clock, may_change: Callable[..., None]) -> None:
        self._ports = ports
        self._clock = clock
        self.router = APIRouter(tags=["alerts"])
        for action, route, name, summary in (
            ("ack", self.acknowledge, "acknowledgeAlert", "Say that you look after a firing alert"),
            ("unack", self.unacknowledge, "unacknowledgeAlert", "Take an acknowledgement back"),
            (
                "resolve",
                self.resolve,
                "resolveAlert",
                "End an alert by hand; it stays quiet until the condition has been clear once",
            ),
        ):
            self.router.add_api_route(
                f"/alerts/{{alert_id}}/{action}",
                route,
                methods=["POST"],
                dependencies=[Depends(may_change)],
                operation_id=name,
                summary=summary,
                responses={
                    404: {"model": Problem, "description": "unknown alert"},
                    409: {"model": Problem, "description": "it is in another state, or someone else changes it"},
                    413: {"model": Problem, "description": "the body is too large"},
                },
            )

    def acknowledge(
        self, request: Request, alert_id: AlertId, body: models.AckRequest = _ACK, idempotency_key: Key = ""
    ) -> models.ChangedAlert:
        now_ms = self._clock.now_ms()
        given = Acknowledgement(
            actor=actor_of(request, body.actor), at_ms=now_ms, until_ms=_until_ms(body.until, now_ms), note=body.note
        )
        return self._change(request, alert_id, "ack", body, idempotency_key, lambda record: acknowledge(record, given))

    def unacknowledge(
        self, request: Request, alert_id: AlertId, body: models.ActionRequest = _WORDLESS, idempotency_key: Key = ""
    ) -> models.ChangedAlert:
        actor, now_ms = actor_of(request, body.actor), self._clock.now_ms()
        return self._change(
            request,
            alert_id,
            "unack",
            body,
            idempotency_key,
            lambda record: unacknowledge(record, actor=actor, note=body.note, now_ms=now_ms),
        )

    def resolve(
        self, request: Request, alert_id: AlertId, body: models.ActionRequest = _WORDLESS, idempotency_key: Key = ""
    ) -> models.ChangedAlert:
        actor, now_ms = actor_of(request, body.actor), self._clock.now_ms()
        return self._change(
            request,
            alert_id,
            "resolve",
            body,
            idempotency_key,
            lambda record: resolve_by_hand(record, actor=actor, note=body.note, now_ms=now_ms),
        )

    def _change(
        self,
        request: Request,
        alert_id: str,
        action: str,
        body: models.ActionRequest,
        key: str,
        decide: Callable[[AlertRecord], HandChange],
    ) -> models.ChangedAlert:
        once = once_of(request, key, [action, alert_id, body.model_dump()])
        try:
            applied = self._ports.alerts.change(alert_id, decide, once)
        except AlertNotFoundError as error:
            raise ApiError(404, "unknown_alert", str(error.args[0])) from error
        except KeyReusedError as error:
            raise ApiError(409, "key_reused", str(error)) from error
        except AlertConflictError as error:
            raise ApiError(409, "conflict", str(error)) from error
        silences = active_silences(self._ports.silences.all(), self._clock.now_ms())
        row = None if applied.record is None else alert_row(applied.record, self._ports.rules.read(), silences)
        return models.ChangedAlert(transition=applied.transition, alert=row)


def actor_of(request: Request, named: str, *, where: str = "body.actor") -> str:
    """Return who asks: the name of the token, or ``named`` where no token is set.

    Raises:
        ApiError: 422. No one is named, or a token speaks for somebody else.
    """
    own = (identity_of(request) or ANONYMOUS).name
    if own and named not in ("", own):
        raise wrong(where, f"is {own!r}, as the token says; leave it out")
    if not own and not named:
        raise wrong(where, "say who asks: no token is set that would")
    return own or named


def once_of(request: Request, key: str, asked: object) -> Once | None:
    """Return what makes the request apply once; ``None`` where it has no key."""
    identity = identity_of(request) or ANONYMOUS
    return Once.of(identity.token_id, key, asked) if key else None


def _until_ms(until: str, now_ms: int) -> int | None:
    if until == "resolved":
        return None
    try:
        lasts_ms = parse_duration_ms(until)
    except ValueError as error:
        raise wrong("body.until", f"{error}, nor 'resolved'") from error
    if not 0 < lasts_ms <= _LONGEST_ACK_MS:
        raise wrong("body.until", "lies between 1ms and 365d; or say 'resolved'")
    return now_ms + lasts_ms
