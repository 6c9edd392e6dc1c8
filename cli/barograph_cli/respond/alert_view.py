"""Alerts as tables and lines for people, and as plain values for JSON."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from barograph_cli.respond.case import Case
from barograph_cli.respond.words import (
    SEVERITY_STYLES,
    STATE_STYLES,
    ack_text,
    labels_text,
    moment_text,
    safe,
    short_id,
    silence_text,
    table_of,
    value_text,
)
from barograph_core.alerts.record import AlertRecord, contributors_to_plain
from barograph_core.alerts.transition import Transition
from barograph_core.pipeline.deliveries import Delivery
from barograph_core.silences.silence import Silence
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line

_MARGIN = "  "


def alert_document(record: AlertRecord, silences: Sequence[Silence]) -> dict[str, object]:
    """Return an alert as plain values."""
    return {
        "id": record.alert_id,
        "rule": record.rule,
        "severity": record.severity.value,
        "state": record.state.value,
        "service": record.service,
        "labels": dict(record.labels),
        "value": record.value,
        "threshold": record.threshold,
        "summary": record.summary,
        "runbook": record.runbook,
        "contributors": contributors_to_plain(record.contributors),
        "started_at_ms": record.episode_ms,
        "is_flapping": record.is_flapping,
        "fired_at_ms": record.fired_at_ms,
        "changed_at_ms": record.changed_at_ms,
        "ack": None if record.ack is None else record.ack.to_plain(),
        "silenced_by": [one.silence_id for one in silences],
        **_pushed_facts(record),
    }


def _pushed_facts(record: AlertRecord) -> dict[str, object]:
    if record.ends_ms is None:
        return {}
    return {"ends_ms": record.ends_ms, "annotations": dict(record.annotations), "source_url": record.source_url}


def case_document(case: Case) -> dict[str, object]:
    """Return everything about one alert as plain values."""
    return {
        **alert_document(case.record, case.silences),
        "log": [dict(zip(one.to_fields()[::2], one.to_fields()[1::2], strict=True)) for one in case.transitions],
        "deliveries": [
            {"at_ms": one.at_ms, "channel": one.channel, "result": one.result, "reason": one.reason}
            for one in case.deliveries
        ],
        "next_notification_ms": case.quiet_until_ms,
    }


def alert_table(rows: Sequence[tuple[AlertRecord, Sequence[Silence]]], now_ms: int) -> Table:
    """Return alerts as a table."""
    table = table_of("state", "severity", "rule", "service", "labels", "value / limit", "for", "looked after by", "id")
    for record, silences in rows:
        state = "silenced" if silences else "acknowledged" if record.ack else record.state.value
        shown = Text(state, STATE_STYLES[state])
        table.add_row(
            shown.append(", flapping", "yellow") if record.is_flapping else shown,
            Text(record.severity.value, SEVERITY_STYLES[record.severity.value]),
            safe(record.rule, style="bold"),
            safe(record.service),
            safe(labels_text(record.labels)),
            value_text(record),
            format_age(max(0, now_ms - record.episode_ms)),
            safe(record.ack.actor if record.ack else "", 64),
            short_id(record.alert_id),
        )
    return table


def case_lines(case: Case, now_ms: int) -> Iterator[Text]:
    """Yield everything about one alert, line by line."""
    record = case.record
    labels = labels_text(record.labels)
    yield Text.assemble(
        (record.severity.value, SEVERITY_STYLES[record.severity.value]),
        " ",
        (one_line(record.rule, 200), "bold"),
        f" on {one_line(record.service, 64)}",
        f" ({labels})" if labels else "",
        (f"  {record.alert_id}", "dim"),
    )
    facts = [
        ("state", state_text(record, now_ms)),
        ("acknowledged", "" if record.ack is None else ack_text(record.ack, now_ms)),
        *(("silenced", silence_text(one)) for one in case.silences),
        ("summary", one_line(record.summary, 500)),
        ("value / limit", value_text(record)),
        ("contributors", "; ".join(f"{labels_text(one.labels)} {one.share_ratio:.0%}" for one in record.contributors)),
        ("runbook", one_line(record.runbook, 500)),
        ("source", one_line(record.source_url, 500)),
        ("pushed", "" if record.ends_ms is None else f"ends {moment_text(record.ends_ms)} unless it is pushed again"),
    ]
    for name, text in facts:
        if text:
            yield Text.assemble(_MARGIN, (f"{name:<13}", "dim"), text)
    yield Text.assemble(_MARGIN, ("what happened", "dim"))
    for _, line in sorted([*_transition_lines(case.transitions), *_delivery_lines(case)], key=lambda one: one[0]):
        yield line


def state_text(record: AlertRecord, now_ms: int) -> str:
    """Return ``firing for 11 min 3 s, since …``."""
    since_ms = record.fired_at_ms if record.state.value == "firing" and record.fired_at_ms else record.episode_ms
    flapping = "" if not record.is_flapping else "; it flaps, and channels get updates only"
    return f"{record.state.value} for {format_age(max(0, now_ms - since_ms))}, since {moment_text(since_ms)}{flapping}"


def _transition_lines(transitions: Sequence[Transition]) -> Iterator[tuple[int, Text]]:
    for one in transitions:
        what = one.flag or one.after.value
        line = Text.assemble(_MARGIN * 2, (moment_text(one.at_ms), "dim"), "  ", (what, STATE_STYLES.get(what, "")))
        if one.actor:
            line.append(f" by {one_line(one.actor, 64)}")
        if one.until_ms is not None:
            line.append(f" until {moment_text(one.until_ms)}")
        is_said = one.reason in ("", "pending", one.flag)
        words = one.note or ("" if is_said else one.reason.replace("_", " "))
        if words:
            line.append(f": {one_line(words, 200)}")
        yield one.at_ms, line


def _delivery_lines(case: Case) -> Iterator[tuple[int, Text]]:
    moved_ms = {one.transition: one.at_ms for one in case.transitions}
    for one in case.deliveries:
        yield (
            one.at_ms,
            Text.assemble(
                _MARGIN * 2, (moment_text(one.at_ms), "dim"), "  ", delivery_text(one, moved_ms[one.transition])
            ),
        )


def delivery_text(delivery: Delivery, moved_ms: int) -> str:
    """Return ``hook: sent after 12 ms``."""
    words = {"sent": "sent", "retry": "failed, will be tried again", "held": "held back", "dead": "given up"}
    what = words.get(delivery.result, "not sent")
    after = f" after {format_age(max(0, delivery.at_ms - moved_ms))}" if delivery.result == "sent" else ""
    reason = (
        f" ({one_line(delivery.reason.replace('_', ' '), 200)})"
        if delivery.reason and delivery.result != "sent"
        else ""
    )
    return f"{one_line(delivery.channel, 64)}: {what}{after}{reason}"
