"""The one sentence at the top: what the console's page says. It never says "all clear" unless it knows. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_cli.top.rows import Alert
from barograph_cli.top.state import ServiceState
from barograph_cli.top.words import clock, milliseconds, per_minute, percent, plural, span

STALE_MS: Final = 5_000
SEVERITIES: Final = ("info", "warning", "error", "critical")
_STANDINGS: Final = ("firing", "acknowledged", "pending", "silenced")
_SOON_MS: Final = 1_800_000
# A route and the version behind it often have the same share: both are named.
_NEAR: Final = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence. ``severity``: one of an alert's, ``ok``, or ``unknown``."""

    severity: str
    lead: str
    rest: str = ""


def verdict(state: ServiceState | None, now_ms: int) -> Verdict:
    """Return the first sentence that holds.

    Args:
        state: ``None`` while nothing is known.
        now_ms: The console's time.
    """
    if state is None:
        return Verdict("unknown", "Nothing is known yet.", " Connecting.")
    if now_ms - state.closed_through_ms > STALE_MS:
        return Verdict("unknown", f"No news since {clock(state.closed_through_ms)}.", " Below is how it was then.")
    return _of_alerts(state, now_ms) or _of_watching(state) or _all_clear(state)


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts with those first that people act on; then the worst, then the oldest."""
    return sorted(
        alerts,
        key=lambda one: (_rank(_STANDINGS, one.standing), -_rank(SEVERITIES, one.severity), one.begun_ms, one.id),
    )


def title(alert: Alert) -> str:
    """Return one line that names an alert, without the full stop of a template."""
    return (alert.summary or f"{alert.rule} {label_words(alert.labels)}").removesuffix(".")


def label_words(labels: Mapping[str, str]) -> str:
    """Return ``POST /predict, instance api-3``: a method and a route are one name."""
    rest = dict(labels)
    method, route = rest.pop("method", ""), rest.pop("route", "")
    words = [f"{method} {route}"] if method and route else [f"route {route}"] if route else [method] if method else []
    for name, value in rest.items():
        words.append(f"{'model version' if name == 'version' and 'model' not in rest else name} {value}")
    return ", ".join(words)


def _rank(order: tuple[str, ...], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _of_alerts(state: ServiceState, now_ms: int) -> Verdict | None:
    told = [one for one in in_order(state.alerts.values()) if one.standing in ("firing", "acknowledged")]
    missing = _missing(state)
    if not told:
        return Verdict("warning", missing) if missing else None
    first, others = told[0], told[1:]
    lasting = f" for {span(now_ms - first.begun_ms)}"
    tail = _also(others) + (f" {missing}" if missing else "")
    if first.standing == "acknowledged":
        names = ", ".join(dict.fromkeys(one.acked_by for one in told))
        return Verdict("warning", title(first), f"{lasting}; acknowledged by {names}.{tail}")
    after = _after_marker(state, first.begun_ms)
    return Verdict(first.severity, title(first), f"{lasting}{after}{_largest_parts(first)}.{tail}")


def _missing(state: ServiceState) -> str:
    known, missing = state.pipeline.known_producers, state.pipeline.missing_producers
    return f"{missing} of {plural(known, 'producer')} are silent: figures are partial." if missing else ""


def _also(others: list[Alert]) -> str:
    acked = sum(one.standing == "acknowledged" for one in others)
    firing = len(others) - acked
    parts = [f"{firing} more firing"] * bool(firing) + [f"{acked} acknowledged"] * bool(acked)
    return f" {', '.join(parts)}." if parts else ""


def _after_marker(state: ServiceState, since_ms: int) -> str:
    """Return ``, 2 min after deploy api 2.15``: the newest marker within half an hour before."""
    before = [one for one in state.markers if 0 <= since_ms - one.at_ms <= _SOON_MS]
    if not before:
        return ""
    last = max(before, key=lambda one: one.at_ms)
    return f", {span(since_ms - last.at_ms)} after {last.kind} {last.title}"


def _largest_parts(alert: Alert) -> str:
    """Return ``; 96 % from model version 8``, and a second part that is nearly as large."""
    parts = [one for one in alert.parts if any(alert.labels.get(name) != value for name, value in one.labels.items())]
    if not parts:
        return ""
    first, *rest = sorted(parts, key=lambda one: -one.share_ratio)
    words = f"; {first.share_ratio:.0%} from {label_words(first.labels)}".replace("%", " %")
    second = next((one for one in rest if first.share_ratio - one.share_ratio <= _NEAR), None)
    return f"{words} and {label_words(second.labels)}" if second else words


def _of_watching(state: ServiceState) -> Verdict | None:
    alerters = next((stage.workers for stage in state.pipeline.stages if stage.name == "alerter"), None)
    if alerters == 0:
        return Verdict("warning", "No alert fires, but nothing watches it.", " No alerter is running.")
    if state.rules == 0:
        return Verdict("warning", "No alert fires, but nothing watches it.", " No rule is about this service.")
    if alerters is None or state.rules is None:
        return Verdict("info", "No alert fires.", " Whether anything watches it is not known yet.")
    if state.minute.requests == 0:
        watch = f"{plural(state.rules, 'rule')} {'watches' if state.rules == 1 else 'watch'} {state.service}."
        return Verdict("info", "No request for a minute or more.", f" {watch}")
    return None


def _all_clear(state: ServiceState) -> Verdict:
    minute = state.minute
    rate = per_minute(minute.requests, minute.covered_ms)
    words = f" {state.service} serves {rate:,} requests a minute, {percent(minute.error_ratio)} of them errors"
    return Verdict("ok", "All clear.", f"{words}; p95 {milliseconds(minute.p95_ms)}.")
