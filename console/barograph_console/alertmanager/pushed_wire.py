"""Alerts as Prometheus and amtool push them. Pure.

What is too long is cut where it only explains; where it is the identity of an alert, the alert is refused and named.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from barograph_console.alertmanager.times import moment_of
from barograph_core.pushed.pushed_alert import PushedAlert
from barograph_core.silences.silence import RULE_LABEL
from barograph_core.text.timestamps import LATEST_MS

# How long an alert stands whose push does not say until when: Alertmanager's resolve_timeout.
STANDS_MS: Final = 300_000
MOST_ALERTS: Final = 1_000
_MOST_LABELS: Final = 50
_MOST_NAME: Final = 128
_MOST_ALERTNAME: Final = 120
_MOST_VALUE: Final = 1_024
_MOST_ANNOTATIONS: Final = 32
_MOST_ANNOTATION: Final = 2_000
_MOST_URL: Final = 2_000
_MOST_SERVICE: Final = 64
# An alert about several jobs at once has neither label.
_DEFAULT_SERVICE: Final = "prometheus"
_UNNAMED: Final = "unnamed"
_NOT_IN_SERVICE: Final = re.compile(r"[^A-Za-z0-9._-]")


class PushError(ValueError):
    """What was pushed cannot be read. Its text says what and where."""


@dataclass(frozen=True, slots=True)
class ReadPushes:
    """The alerts that could be read, and what is wrong with the others."""

    alerts: list[PushedAlert]
    problems: list[str]


def read_pushes(body: object, now_ms: int) -> ReadPushes:
    """Read what a client pushes.

    Args:
        body: The JSON document.
        now_ms: Wall time, for a start that is left out.

    Raises:
        PushError: It is no list, or longer than ``MOST_ALERTS``.
    """
    if not isinstance(body, list):
        raise PushError("the body is no JSON list of alerts")
    given = cast("list[object]", body)
    if len(given) > MOST_ALERTS:
        raise PushError(f"at most {MOST_ALERTS:,} alerts in one request; these are {len(given):,}")
    read = ReadPushes([], [])
    for index, one in enumerate(given):
        try:
            read.alerts.append(_alert(one, now_ms))
        except ValueError as error:
            read.problems.append(f"alert {index}{_name_of(one)}: {error}")
    return read


def _alert(given: object, now_ms: int) -> PushedAlert:
    if not isinstance(given, Mapping):
        raise PushError("is no JSON object")
    one = cast("Mapping[str, Any]", given)
    labels = _labels(one.get("labels"))
    name = labels.pop(RULE_LABEL, "").strip() or _UNNAMED
    if len(name) > _MOST_ALERTNAME:
        raise PushError(f"{RULE_LABEL} has at most {_MOST_ALERTNAME} characters")
    service = labels.pop("service", "") or labels.get("job", "") or _DEFAULT_SERVICE
    starts_ms, ends_ms = moment_of(one, "startsAt"), moment_of(one, "endsAt")
    if starts_ms is None:
        starts_ms = now_ms if ends_ms is None else min(now_ms, ends_ms)
    if ends_ms is not None and ends_ms < starts_ms:
        raise PushError("endsAt lies before startsAt")
    return PushedAlert(
        service=_NOT_IN_SERVICE.sub("_", service)[:_MOST_SERVICE],
        alertname=name,
        labels=labels,
        starts_ms=max(0, starts_ms),
        ends_ms=min(now_ms + STANDS_MS if ends_ms is None else max(0, ends_ms), LATEST_MS),
        annotations=_annotations(one.get("annotations")),
        source_url=_url(one.get("generatorURL")),
    )


def _labels(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping) or not given:
        raise PushError("has no labels")
    labels: dict[str, str] = {}
    for name, value in cast("Mapping[str, object]", given).items():
        if not 0 < len(name) <= _MOST_NAME or not name.isprintable() or name != name.strip():
            raise PushError(f"{name[:40]!r} is not a name of a label")
        if not isinstance(value, str) or len(value) > _MOST_VALUE:
            raise PushError(f"label {name!r} is no text of at most {_MOST_VALUE:,} characters")
        # As for Alertmanager, a label without a value is none.
        if value:
            labels[name] = value
    if not labels:
        raise PushError("has no label with a value")
    if len(labels) > _MOST_LABELS:
        raise PushError(f"has {len(labels)} labels; at most {_MOST_LABELS} are taken")
    return labels


def _annotations(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        return {}
    texts = {
        name[:_MOST_NAME]: value[:_MOST_ANNOTATION]
        for name, value in cast("Mapping[str, object]", given).items()
        if name and isinstance(value, str) and value
    }
    return dict(list(texts.items())[:_MOST_ANNOTATIONS])


def _url(given: object) -> str:
    """Return the address where the other program shows the alert; none that a browser would not open as a page."""
    is_link = isinstance(given, str) and given.startswith(("http://", "https://")) and len(given) <= _MOST_URL
    return cast("str", given) if is_link else ""


def _name_of(given: object) -> str:
    labels = cast("Mapping[str, Any]", given).get("labels") if isinstance(given, Mapping) else None
    name = cast("Mapping[str, Any]", labels).get(RULE_LABEL) if isinstance(labels, Mapping) else None
    return f" ({name[:40]})" if isinstance(name, str) else ""
