"""Takes events: reads them, appends the good ones, and says what became of each. Knows nothing of HTTP's routes."""

from collections.abc import Mapping, Sequence
from typing import Final

from barograph_console.ingest.bodies import Place, Reading, read_body
from barograph_console.ingest.models import EventError, Ingested
from barograph_console.ingest.row_error import RowError
from barograph_console.serving.problems import ApiError, ErrorDetail
from barograph_console.store.ingest.event_log import AHEAD_MS, MOST_SERVICES, Event, EventLog, Receipt, Writing
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration

_SHOWN_ERRORS: Final = 10


def receive(
    log: EventLog, body: bytes, media_type: str, headers: Mapping[str, str], reading: Reading, writing: Writing
) -> Ingested:
    """Append the events of a request.

    Raises:
        ApiError: 422 where nothing is accepted, or in strict mode where not everything would be; 413 for too many.
        KeyReusedError: The key of the request stands for another one.
        BarographError: The server is away, full or refuses.
    """
    read = read_body(body, media_type, headers, reading)
    good = [(one.place, one.event) for one in read if isinstance(one.event, Event)]
    bad = [_error(one.place, one.event) for one in read if isinstance(one.event, RowError)]
    _check_services([event for _, event in good])
    if bad and writing.is_strict:
        raise _nothing_taken(
            "strict", Ingested(accepted=0, duplicate=0, rejected=len(bad), late=0, early=0, errors=bad)
        )
    places, events, repeated = _without_repetitions(good)
    receipt = log.append(events, writing) if events else Receipt()
    answer = Ingested(
        accepted=receipt.accepted,
        duplicate=receipt.duplicate + repeated,
        rejected=len(bad),
        late=receipt.late_count,
        early=receipt.early_count,
        errors=sorted([*bad, *_untimely(receipt, places, events)], key=lambda one: one.index)[:_SHOWN_ERRORS],
    )
    if writing.is_strict and (answer.late or answer.early) and not answer.accepted and not receipt.duplicate:
        raise _nothing_taken("strict", answer)
    if not answer.accepted and not answer.duplicate and read:
        raise _nothing_taken("none", answer)
    return answer


def _check_services(events: Sequence[Event]) -> None:
    services = len({event.service for event in events})
    if services > MOST_SERVICES:
        message = f"has events of {services} services; there may be {MOST_SERVICES}: send several requests"
        raise ApiError(422, "too_many_services", f"body: {message}")


def _without_repetitions(good: Sequence[tuple[Place, Event]]) -> tuple[list[Place], list[Event], int]:
    """Return the events without those that stand twice in the request, and how many these are."""
    places: list[Place] = []
    events: list[Event] = []
    seen: set[bytes] = set()
    for place, event in good:
        if event.digest and event.digest in seen:
            continue
        seen.add(event.digest)
        places.append(place)
        events.append(event)
    return places, events, len(good) - len(events)


def _untimely(receipt: Receipt, places: Sequence[Place], events: Sequence[Event]) -> list[EventError]:
    late_bound, early_bound = format_duration(receipt.lateness_ms), format_duration(AHEAD_MS)
    errors = [
        (at, f"is {format_age(receipt.now_ms - events[at].at_ms)} old; events older than {late_bound} are not taken")
        for at in receipt.late[:_SHOWN_ERRORS]
    ]
    ahead = f"ahead of the server's clock, of which {early_bound} are taken: set the sender's clock"
    errors += [
        (at, f"is {format_age(events[at].at_ms - receipt.now_ms)} {ahead}") for at in receipt.early[:_SHOWN_ERRORS]
    ]
    return [
        EventError(index=places[at].index, line=places[at].line, where="at_ms", message=message)
        for at, message in errors
    ]


def _error(place: Place, error: RowError) -> EventError:
    return EventError(index=place.index, line=place.line, where=error.where, message=str(error))


def _nothing_taken(why: str, answer: Ingested) -> ApiError:
    """Return the error of a request of which nothing was written."""
    refused = [
        f"{count} {name}"
        for name, count in (("rejected", answer.rejected), ("late", answer.late), ("early", answer.early))
        if count
    ]
    lead = "strict: nothing was written" if why == "strict" else "no event was taken"
    details = [
        ErrorDetail(
            where=f"body.{one.index if one.line is None else f'line {one.line}'}{one.where and '.'}{one.where}",
            message=one.message,
        )
        for one in answer.errors[:_SHOWN_ERRORS]
    ]
    first = f"; {details[0].where} {details[0].message}" if details else ""
    return ApiError(422, "nothing_taken", f"{lead}: {', '.join(refused)}{first}", errors=details)
