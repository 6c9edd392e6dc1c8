"""Routes about silences: those there are, what one would mute, and changing them."""

import uuid
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request

from barograph_console.alerts.actions import Key, actor_of, once_of
from barograph_console.alerts.silence_rows import SilenceRow, silence_row
from barograph_console.serving.problems import ApiError, Problem, wrong
from barograph_console.silences import models
from barograph_console.store.ports import Ports
from barograph_core.alerts.actions import AlertConflictError, KeyReusedError
from barograph_core.clock import Clock
from barograph_core.matching.label_matcher import LabelMatcher
from barograph_core.matching.matcher import MatcherError
from barograph_core.silences.book import SilenceNotFoundError
from barograph_core.silences.silence import Silence, SilenceError
from barograph_core.silences.store import HeldSilence, TooManySilencesError
from barograph_core.text.durations import parse_duration_ms

# What the request calls it.
_FIELDS: Final = {"ends": "ends_at_ms"}
_ORDER: Final = ("active", "pending", "expired")
SilenceId = Annotated[str, Path(max_length=64, description="id of the silence")]
_CHANGES: Final[dict[int | str, dict[str, Any]]] = {
    409: {"model": Problem, "description": "it is over, it keeps changing, or there are too many"},
    413: {"model": Problem, "description": "the body is too large"},
}


class SilenceRoutes:
    """Answers about silences, and changes them. The actor is the name of the token."""

    def __init__(self, ports: Ports, clock: Clock, may_change: Callable[..., None]) -> None:
        self._silences = ports.silences
        self._clock = clock
        self.router = APIRouter(tags=["silences"])
        self.router.add_api_route(
            "/silences", self.all, operation_id="listSilences", summary="Silences, the active ones first"
        )
        self.router.add_api_route(
            "/silences/preview",
            self.preview,
            methods=["POST"],
            dependencies=[Depends(may_change)],
            operation_id="previewSilence",
            summary="What a silence would mute now",
            responses={413: _CHANGES[413]},
        )
        for path, route, method, name, summary in (
            ("/silences", self.add, "POST", "addSilence", "Mute the alerts that all matchers mean"),
            (
                "/silences/{silence_id}",
                self.change,
                "PUT",
                "changeSilence",
                "Change end or comment; with other matchers or start, a new silence takes the place of this one",
            ),
            ("/silences/{silence_id}", self.end, "DELETE", "endSilence", "End a silence now"),
        ):
            self.router.add_api_route(
                path,
                route,
                methods=[method],
                dependencies=[Depends(may_change)],
                operation_id=name,
                summary=summary,
                responses=_CHANGES,
            )

    def all(
        self, ended: Annotated[bool, Query(description="those too that ended in the last five days")] = False
    ) -> models.Silences:
        now_ms = self._clock.now_ms()
        rows = [silence_row(one, now_ms) for one in self._silences.all()]
        shown = [row for row in rows if ended or row.state != "expired"]
        return models.Silences(at_ms=now_ms, silences=sorted(shown, key=lambda row: _ORDER.index(row.state)))

    def preview(self, body: models.PreviewRequest) -> models.Preview:
        now_ms = self._clock.now_ms()
        meant = self._silences.meant(_silence(body.matchers, now_ms, now_ms, None, "", ""))
        return models.Preview(alerts=len(meant), ids=[record.alert_id for record in meant])

    def add(self, request: Request, body: models.SilenceRequest, idempotency_key: Key = "") -> SilenceRow:
        now_ms = self._clock.now_ms()
        draft, once = self._draft(request, body, now_ms), once_of(request, idempotency_key, ["add", body.model_dump()])
        return self._row(lambda: self._silences.add(draft, once), now_ms)

    def change(
        self, request: Request, silence_id: SilenceId, body: models.SilenceRequest, idempotency_key: Key = ""
    ) -> SilenceRow:
        now_ms = self._clock.now_ms()
        draft = self._draft(request, body, now_ms)
        once = once_of(request, idempotency_key, ["change", silence_id, body.model_dump()])
        return self._row(lambda: self._silences.change(silence_id, draft, once), now_ms)

    def end(
        self,
        request: Request,
        silence_id: SilenceId,
        note: Annotated[str, Query(max_length=1_000, description="why; written to the alerts stream")] = "",
        actor: Annotated[str, Query(max_length=128, description="who asks, where no token is set")] = "",
        idempotency_key: Key = "",
    ) -> SilenceRow:
        named, now_ms = actor_of(request, actor, where="query.actor"), self._clock.now_ms()
        once = once_of(request, idempotency_key, ["end", silence_id, note])
        return self._row(lambda: self._silences.end(silence_id, actor=named, note=note, once=once), now_ms)

    def _draft(self, request: Request, body: models.SilenceRequest, now_ms: int) -> Silence:
        starts_ms = max(now_ms, body.starts_at_ms or 0)
        ends_ms = body.ends_at_ms
        if body.lasts:
            if ends_ms is not None:
                raise wrong("body.lasts", "cannot stand beside ends_at_ms: leave one of them out")
            try:
                ends_ms = starts_ms + parse_duration_ms(body.lasts)
            except ValueError as error:
                raise wrong("body.lasts", str(error)) from error
        # The start as it was given tells whether a silence is the same one.
        given_ms = now_ms if body.starts_at_ms is None else body.starts_at_ms
        return _silence(body.matchers, given_ms, now_ms, ends_ms, actor_of(request, body.actor), body.comment)

    def _row(self, act: Callable[[], Silence], now_ms: int) -> SilenceRow:
        try:
            silence = act()
        except SilenceNotFoundError as error:
            raise ApiError(404, "unknown_silence", str(error.args[0])) from error
        except SilenceError as error:
            raise wrong(f"body.{_FIELDS.get(error.where, error.where)}", str(error)) from error
        except KeyReusedError as error:
            raise ApiError(409, "key_reused", str(error)) from error
        except AlertConflictError as error:
            raise ApiError(409, "conflict", str(error)) from error
        except TooManySilencesError as error:
            raise ApiError(409, "too_many_silences", str(error)) from error
        held = next((one for one in self._silences.all() if one.silence.silence_id == silence.silence_id), None)
        return silence_row(held or HeldSilence(silence, ""), now_ms)


def _silence(
    matchers: Sequence[models.MatcherRequest],
    starts_ms: int,
    now_ms: int,
    ends_ms: int | None,
    actor: str,
    comment: str,
) -> Silence:
    return Silence(
        silence_id=str(uuid.UUID(int=0)),
        matchers=tuple(_matcher(number, one) for number, one in enumerate(matchers)),
        starts_ms=starts_ms,
        ends_ms=ends_ms,
        actor=actor,
        comment=comment,
        changed_ms=now_ms,
    )


def _matcher(number: int, asked: models.MatcherRequest) -> LabelMatcher:
    try:
        return LabelMatcher(asked.name, asked.value, is_regex=asked.isRegex, is_equal=asked.isEqual)
    except MatcherError as error:
        raise wrong(f"body.matchers.{number}", str(error)) from error
