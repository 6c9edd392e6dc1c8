"""The routes of ``/api/v2``. Errors are JSON strings, as Alertmanager's are."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from barograph_console.access.identity import ANONYMOUS, RouteRule, identity_of
from barograph_console.alertmanager.configuration import NO_CHANNEL, configuration_text
from barograph_console.alertmanager.pushed_wire import read_pushes
from barograph_console.alertmanager.wire import alert_document, asked_silence, in_order, silence_document
from barograph_console.alerts.silence_rows import active_silences, silenced_by
from barograph_console.store.ports import Ports
from barograph_core.access.token import Role
from barograph_core.alerts.actions import AlertConflictError
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.clock import Clock
from barograph_core.matching.label_matcher import LabelMatcher, match_every
from barograph_core.matching.matcher import MAX_PATTERN, Matcher, MatcherError
from barograph_core.silences.book import SilenceNotFoundError
from barograph_core.silences.silence import SilenceError, labels_of, parse_matchers
from barograph_core.silences.store import HeldSilence, TooManySilencesError
from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.text.timestamps import format_timestamp

PREFIX: Final = "/api/v2"
# Another minor version makes amtool print a warning at every command.
VERSION: Final = "0.25.0"
_BODY_BYTES: Final = 65_536
_READS: Final = frozenset({Role.READ, Role.ADMIN, Role.ALERTS})
_CHANGES: Final = frozenset({Role.ADMIN, Role.ALERTS})
# Prometheus pushes up to 256 alerts at once.
_PUSH_BYTES: Final = 2_097_152
RULES: Final = (
    RouteRule(path=f"{PREFIX}/alerts", roles=_READS, max_body_bytes=_PUSH_BYTES),
    RouteRule(path=f"{PREFIX}/", roles=_READS, max_body_bytes=_BODY_BYTES),
)
_NO_RIGHT: Final = "this needs a token with the role admin or alerts"
# Limit of the problems that one answer names.
_NAMED: Final = 10
Filters = Annotated[list[str], Query(alias="filter", max_length=20)]
Switch = Annotated[bool, Query()]


class AlertmanagerRoutes:
    """Answers the tools that speak with Alertmanager."""

    def __init__(self, ports: Ports, clock: Clock, build: str) -> None:
        self._ports = ports
        self._clock = clock
        self._build = build
        self._begun_ms = clock.now_ms()
        # Alertmanager's project describes this interface; our description holds our own.
        self.router = APIRouter(prefix=PREFIX, include_in_schema=False)
        for method, path, route in (
            ("GET", "/status", self.status),
            ("GET", "/receivers", self.receivers),
            ("GET", "/alerts", self.alerts),
            ("POST", "/alerts", self.post_alerts),
            ("GET", "/alerts/groups", self.groups),
            ("GET", "/silences", self.silences),
            ("POST", "/silences", self.post_silence),
            ("GET", "/silence/{silence_id}", self.silence),
            ("DELETE", "/silence/{silence_id}", self.delete_silence),
        ):
            self.router.add_api_route(path, route, methods=[method], response_model=None)

    def status(self) -> dict[str, Any]:
        nothing = ("revision", "buildUser", "buildDate", "goVersion")
        return {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": VERSION, "branch": f"barograph {self._build}", **dict.fromkeys(nothing, "")},
            "config": {"original": configuration_text(self._receivers())},
            "uptime": format_timestamp(self._begun_ms),
        }

    def receivers(self) -> list[dict[str, str]]:
        return [{"name": name} for name in self._receivers()]

    def alerts(
        self,
        request: Request,
        filters: Filters = [],  # noqa: B006 - FastAPI copies it
        receiver: Annotated[str, Query(max_length=MAX_PATTERN)] = "",
        active: Switch = True,
        silenced: Switch = True,
        inhibited: Switch = True,
        unprocessed: Switch = True,
    ) -> Response | list[dict[str, Any]]:
        # The notifier decides on inhibition as it sends, and every alert here was processed: both leave the list as is.
        del inhibited, unprocessed
        return self._alerts(request, filters, receiver, is_active=active, is_silenced=silenced)

    def groups(
        self,
        request: Request,
        filters: Filters = [],  # noqa: B006 - FastAPI copies it
        receiver: Annotated[str, Query(max_length=MAX_PATTERN)] = "",
        active: Switch = True,
        silenced: Switch = True,
        inhibited: Switch = True,
        muted: Switch = True,
    ) -> Response | list[dict[str, Any]]:
        del inhibited, muted  # as in ``alerts``
        found = self._alerts(request, filters, receiver, is_active=active, is_silenced=silenced)
        if isinstance(found, Response):
            return found
        names = sorted({one["labels"]["alertname"] for one in found})
        return [
            {
                "labels": {"alertname": name},
                "receiver": {"name": self._receivers()[0]},
                "alerts": [one for one in found if one["labels"]["alertname"] == name],
            }
            for name in names
        ]

    def silences(
        self,
        filters: Filters = [],  # noqa: B006 - FastAPI copies it
    ) -> Response | list[dict[str, Any]]:
        try:
            wanted = parse_matchers(filters)
        except SilenceError as error:
            return _refused(400, error)
        now_ms = self._clock.now_ms()
        held = [one for one in self._ports.silences.all() if _means(one, wanted)]
        return [silence_document(one, now_ms) for one in in_order(held, now_ms)]

    def silence(self, silence_id: str) -> Response | dict[str, Any]:
        found = next((one for one in self._ports.silences.all() if one.silence.silence_id == silence_id), None)
        return _unknown(silence_id) if found is None else silence_document(found, self._clock.now_ms())

    async def post_alerts(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._post_alerts, request, body)

    async def post_silence(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self._post_silence, request, body)

    def delete_silence(self, request: Request, silence_id: str) -> Response:
        if not _may_change(request):
            return _refused(403, _NO_RIGHT)
        actor = (identity_of(request) or ANONYMOUS).name or "api"
        try:
            self._ports.silences.end(silence_id, actor=actor, note="")
        except SilenceNotFoundError:
            return _unknown(silence_id)
        except AlertConflictError as error:
            # Alertmanager answers so, and its tools expect it.
            return _refused(500, error)
        return Response(status_code=200)

    def _post_alerts(self, request: Request, body: bytes) -> Response:
        if not _may_change(request):
            return _refused(403, _NO_RIGHT)
        try:
            read = read_pushes(load_foreign_json(body), self._clock.now_ms())
        except ValueError as error:
            return _refused(400, error)
        refused = self._ports.pushes.push(read.alerts)
        problems = [*read.problems, *(f"{one.alert.alertname}: {one.why}" for one in refused)]
        if not problems:
            return Response(status_code=200)
        # The others were taken: who pushes does not try again after this answer.
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        return _refused(400, "; ".join(problems[:_NAMED]) + more)

    def _post_silence(self, request: Request, body: bytes) -> Response:
        if not _may_change(request):
            return _refused(403, _NO_RIGHT)
        identity = identity_of(request) or ANONYMOUS
        try:
            silence_id, draft = asked_silence(load_foreign_json(body), actor=identity.name, now_ms=self._clock.now_ms())
            silences = self._ports.silences
            written = silences.change(silence_id, draft) if silence_id else silences.add(draft)
        except SilenceNotFoundError as error:
            return _refused(404, error)
        except (SilenceError, TooManySilencesError, ValueError) as error:
            return _refused(400, error)
        return JSONResponse({"silenceID": written.silence_id})

    def _alerts(
        self, request: Request, filters: Sequence[str], receiver: str, *, is_active: bool, is_silenced: bool
    ) -> Response | list[dict[str, Any]]:
        try:
            wanted = parse_matchers(filters)
            named = Matcher.of_alertmanager(receiver or ".*", is_regex=True, is_equal=True)
        except (SilenceError, MatcherError) as error:
            return _refused(400, error)
        channels = [name for name in self._receivers() if named.matches(name)]
        if not channels:
            return []
        now_ms = self._clock.now_ms()
        muting = active_silences(self._ports.silences.all(), now_ms)
        page_url = str(request.base_url)
        documents = [
            alert_document(record, silenced_by(record, muting), channels, now_ms=now_ms, page_url=page_url)
            for record in self._firing()
            if match_every(wanted, labels_of(record))
        ]
        kept = {"active": is_active, "suppressed": is_silenced}
        return [one for one in documents if kept[one["status"]["state"]]]

    def _firing(self) -> list[AlertRecord]:
        records = self._ports.alerts.records(list(self._ports.panes.services()))
        return sorted((one for one in records if one.state is AlertState.FIRING), key=lambda one: one.alert_id)

    def _receivers(self) -> list[str]:
        """Return the names of the channels; one for none, because Alertmanager has at least one receiver."""
        return sorted({one.name for status in self._ports.pipeline.read() for one in status.channels}) or [NO_CHANNEL]


def _means(held: HeldSilence, wanted: Sequence[LabelMatcher]) -> bool:
    """Say whether a silence has matchers of the values that ``wanted`` names, as Alertmanager filters silences."""
    values = {one.name: one.value for one in held.silence.matchers}
    return match_every(wanted, values)


def _may_change(request: Request) -> bool:
    return (identity_of(request) or ANONYMOUS).role in _CHANGES


def _unknown(silence_id: str) -> Response:
    return _refused(404, f"silence {silence_id[:64]!r} is not known")


def _refused(status: int, why: object) -> Response:
    return JSONResponse(str(why), status_code=status)
