"""What ``barograph rules explain`` says of an alert, or of a rule without one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.text import Text

from barograph_cli.respond.alert_view import delivery_text, state_text
from barograph_cli.respond.case import Case
from barograph_cli.respond.words import ack_text, labels_text, moment_text, silence_text
from barograph_core.alerts.condition_text import condition_text, leading_value, recovery_text
from barograph_core.alerts.published_rules import PublishedRule
from barograph_core.alerts.record import AlertState
from barograph_core.alerts.transition import Transition
from barograph_core.text.ages import format_age
from barograph_core.text.durations import format_duration
from barograph_core.text.one_line import one_line


@dataclass(frozen=True, slots=True)
class Explanation:
    """Answers about one alert, each a sentence or more.

    Attributes:
        title: The alert or the rule.
        alert_id: Empty where no alert is pending or firing.
    """

    title: str
    alert_id: str = ""
    rule: str = ""
    condition: str = ""
    state: str = ""
    told: Sequence[str] = field(default_factory=tuple[str, ...])
    muted: Sequence[str] = field(default_factory=tuple[str, ...])
    next: str = ""


def explain_alert(case: Case, rule: PublishedRule | None, now_ms: int) -> Explanation:
    """Return the answers about an alert that is pending or firing."""
    record = case.record
    labels = labels_text(record.labels)
    where = f" ({labels})" if labels else ""
    unknown = "is not among the rules in force: its alert ends with the next closed pane"
    condition = "" if rule is None else condition_text(rule, leading_value(rule, record.value))
    if record.is_no_data:
        condition = 'there is no data for the condition, and the rule fires for want of it (no_data = "alert")'
    muted = [f"silence {silence_text(one)}" for one in case.silences]
    muted += [f"alert {one_line(by, 64)}, which inhibits it" for by in _inhibitors(case)]
    if record.ack is not None:
        muted.append(f"acknowledged {ack_text(record.ack, now_ms)}")
    return Explanation(
        title=f"{record.rule} on {record.service}{where}",
        alert_id=record.alert_id,
        rule=unknown if rule is None else _rule_text(rule),
        condition=condition,
        state=state_text(record, now_ms),
        told=_told(case),
        muted=muted,
        next=_next(case, rule, now_ms),
    )


def explain_rule(rule: PublishedRule, service: str, last: Transition | None) -> Explanation:
    """Return the answers about a rule of which no alert is pending or firing."""
    state = "no alert is pending or firing: the condition does not hold, or has no data"
    if last is not None:
        labels = labels_text(last.labels)
        where = f" ({labels})" if labels else ""
        state += f"; the last change: {last.after.value} at {moment_text(last.at_ms)}{where}"
    hold = f" once it has held for {format_duration(rule.for_ms)}" if rule.for_ms else ""
    return Explanation(
        title=f"{rule.name}" + (f" on {service}" if service else ""),
        rule=_rule_text(rule),
        condition=condition_text(rule, {}),
        state=state,
        next=f"fires when the condition holds{hold}",
    )


def _rule_text(rule: PublishedRule) -> str:
    parts = [condition_text(rule, {})]
    if rule.by:
        parts.append(f"for each {', '.join(rule.by)}")
    if rule.for_ms:
        parts.append(f"held for {format_duration(rule.for_ms)}")
    clears = recovery_text(rule) or "that no longer holds"
    lasts = f" for {format_duration(rule.keep_firing_for_ms)}" if rule.keep_firing_for_ms else ""
    parts.append(f"clears when {clears}{lasts}")
    return "; ".join(parts)


def _told(case: Case) -> list[str]:
    """Return what each channel did last, or why no one was told."""
    last = {one.channel: one for one in case.deliveries}
    moved_ms = {one.transition: one.at_ms for one in case.transitions}
    found = [delivery_text(one, moved_ms[one.transition]) for one in last.values()]
    news = [one for one in case.transitions if one.after is AlertState.FIRING and not one.is_only_flag]
    quiet = [channel for channel in (news[-1].muted if news else ()) if channel not in last]
    found += [f"{one_line(channel, 64)}: not told, its cooldown runs" for channel in quiet]
    if found:
        return found
    if case.record.state is AlertState.PENDING:
        return ["nobody: it is pending, and only what fires is told"]
    return ["nobody yet: no channel has taken it up; does a notifier run?"]


def _inhibitors(case: Case) -> list[str]:
    """Return the ids of the alerts for which channels hold this one back now, as far as they recorded it."""
    last = {one.channel: one for one in case.deliveries}
    held = [one.reason.partition(" ") for one in last.values() if one.result == "held"]
    return sorted({alert_id for kind, _, alert_id in held if kind == "inhibited"})


def _next(case: Case, rule: PublishedRule | None, now_ms: int) -> str:
    """Return what happens next, and when."""
    record = case.record
    if record.state is AlertState.PENDING:
        left_ms = 0 if rule is None else rule.for_ms - max(0, now_ms - record.episode_ms)
        if left_ms <= 0:
            return "fires or ends with the next closed pane"
        return f"fires in {format_age(left_ms)}, if the condition holds until then"
    ends = [one.ends_ms for one in case.silences if one.ends_ms is not None]
    if case.silences:
        end = f"at {moment_text(max(ends))}, " if len(ends) == len(case.silences) else ""
        return f"channels that it was held back from are told {end}when its silences are over, if it still fires"
    if record.ack is not None and record.ack.until_ms is not None:
        return f"told again at {moment_text(record.ack.until_ms)}, when its acknowledgement ends"
    if case.quiet_until_ms is not None:
        return f"a channel whose cooldown ends at {moment_text(case.quiet_until_ms)} is reminded then"
    if record.is_flapping:
        calm = "" if rule is None else _calm_text(rule)
        return f"an update at the first firing after a channel's cooldown, and one message when it is calm{calm}"
    if record.clear_since_ms is not None and rule is not None:
        since = f"clear since {moment_text(record.clear_since_ms)}"
        return f"{since}: resolves when that has lasted {format_duration(rule.keep_firing_for_ms)}"
    return "told with its next change: a rise in severity, or its end"


def _calm_text(rule: PublishedRule) -> str:
    often = "no firing" if not rule.flapping_calm else f"no more than {rule.flapping_calm}"
    return f": {often} in {format_duration(rule.flapping_within_ms)}"


def explanation_document(one: Explanation) -> dict[str, object]:
    """Return an explanation as plain values."""
    return {
        "alert_id": one.alert_id,
        "title": one.title,
        "rule": one.rule,
        "condition": one.condition,
        "state": one.state,
        "told": list(one.told),
        "muted": list(one.muted),
        "next": one.next,
    }


def explanation_lines(one: Explanation) -> Iterator[Text]:
    """Yield an explanation for a terminal."""
    yield Text.assemble((one_line(one.title, 300), "bold"), (f"  {one.alert_id}" if one.alert_id else "", "dim"))
    answers = [("rule", [one.rule]), ("condition", [one.condition]), ("state", [one.state])]
    answers += [("told", list(one.told)), ("muted by", list(one.muted)), ("next", [one.next])]
    for name, texts in answers:
        for number, text in enumerate(filter(None, texts)):
            yield Text.assemble("  ", (f"{'' if number else name:<11}", "dim"), one_line(text, 1_000))
