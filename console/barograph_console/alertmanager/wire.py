"""Alerts and silences as Alertmanager's API writes them, and silences as clients ask for them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from barograph_console.alertmanager.times import MomentError, moment_of
from barograph_core.alerts.record import AlertRecord
from barograph_core.matching.matcher import MatcherError
from barograph_core.silences.silence import Silence, SilenceError, labels_of, matchers_from_plain, matchers_to_plain
from barograph_core.silences.store import HeldSilence
from barograph_core.text.timestamps import LATEST_MS, format_timestamp

# How long a client may take an alert for firing that it does not ask about again.
_STANDS_MS: Final = 300_000
# For a silence that ends when its alerts are resolved; the format has no such end.
_NO_END_MS: Final = LATEST_MS


def alert_document(
    record: AlertRecord, silenced_by: Sequence[str], receivers: Sequence[str], *, now_ms: int, page_url: str
) -> dict[str, Any]:
    """Return a firing alert. Its fingerprint is its id.

    A pushed one has the labels, annotations and source that it was pushed with; service and severity are there always,
    because routes and silences go by them.

    Args:
        record: The alert.
        silenced_by: Ids of the silences that mute it now.
        receivers: Names of the channels.
        now_ms: Wall time.
        page_url: Of the console's page, without a query.
    """
    labels = {name: value for name, value in labels_of(record).items() if name != "rule"}
    annotations = dict(record.annotations)
    if not record.is_pushed:
        annotations = {"summary": record.summary, "runbook_url": record.runbook}
        annotations |= {} if record.value is None else {"value": repr(record.value)}
    return {
        "labels": labels,
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": format_timestamp(record.fired_at_ms or record.changed_at_ms),
        "endsAt": format_timestamp(now_ms + _STANDS_MS if record.ends_ms is None else record.ends_ms),
        "updatedAt": format_timestamp(record.changed_at_ms),
        "fingerprint": record.alert_id,
        "generatorURL": record.source_url or f"{page_url}?service={record.service}&alert={record.alert_id}",
        "receivers": [{"name": name} for name in receivers],
        "status": {
            "state": "suppressed" if silenced_by else "active",
            "silencedBy": list(silenced_by),
            "inhibitedBy": [],
            "mutedBy": [],
        },
    }


def silence_document(held: HeldSilence, now_ms: int) -> dict[str, Any]:
    """Return a silence; one that has ended stands with the time at which it did."""
    silence = held.silence
    ends_ms = silence.ended_ms if silence.ended_ms is not None else silence.ends_ms
    return {
        "id": silence.silence_id,
        "status": {"state": silence.state_at(now_ms)},
        "updatedAt": format_timestamp(silence.changed_ms),
        "comment": silence.comment,
        "createdBy": silence.actor,
        "startsAt": format_timestamp(silence.starts_ms),
        "endsAt": format_timestamp(_NO_END_MS if ends_ms is None else ends_ms),
        "matchers": matchers_to_plain(silence.matchers),
    }


def in_order(held: Sequence[HeldSilence], now_ms: int) -> list[HeldSilence]:
    """Return active silences by their end, then those to come by their start, then ended ones, the newest first."""
    ranks = {"active": 0, "pending": 1, "expired": 2}

    def place(one: HeldSilence) -> tuple[int, int]:
        silence = one.silence
        state = silence.state_at(now_ms)
        ends_ms = silence.ended_ms or silence.ends_ms or _NO_END_MS
        return ranks[state], {"active": ends_ms, "pending": silence.starts_ms, "expired": -ends_ms}[state]

    return sorted(held, key=place)


def asked_silence(body: object, *, actor: str, now_ms: int) -> tuple[str, Silence]:
    """Read what a client asks for.

    Args:
        body: The JSON document.
        actor: Name of the token; the client's own word counts where no token is set.
        now_ms: Wall time, for a start that is left out or was.

    Returns:
        The id of the silence to change, empty for a new one, and what it shall be.

    Raises:
        SilenceError: Something is missing or cannot be read.
    """
    if not isinstance(body, Mapping):
        raise SilenceError("matchers", "the body is no JSON object")
    given = cast("Mapping[str, Any]", body)
    matchers = given.get("matchers")
    if not isinstance(matchers, list):
        raise SilenceError("matchers", "matchers is missing or no list")
    try:
        read = matchers_from_plain(cast("list[Mapping[str, Any]]", matchers))
    except MatcherError as error:
        raise SilenceError("matchers", str(error)) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise SilenceError("matchers", "each matcher has a name and a value") from error
    try:
        starts_ms, ends_ms = moment_of(given, "startsAt"), moment_of(given, "endsAt")
    except MomentError as error:
        raise SilenceError("ends", str(error)) from error
    if ends_ms is None:
        raise SilenceError("ends", "endsAt is missing")
    silence = Silence(
        silence_id="",
        matchers=read,
        starts_ms=max(starts_ms or now_ms, 0),
        ends_ms=None if ends_ms >= _NO_END_MS // 1_000 * 1_000 else ends_ms,
        actor=actor or str(given.get("createdBy") or ""),
        comment=str(given.get("comment") or ""),
        changed_ms=now_ms,
    )
    return str(given.get("id") or ""), silence
