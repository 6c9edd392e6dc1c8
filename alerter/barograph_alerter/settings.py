"""Settings of the section ``[alerter]``. Rules are in ``[[rule]]``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.flapping import LONGEST_MS, SHORTEST_MS
from barograph_alerter.rules.lint import lint_rule
from barograph_alerter.rules.reading import rule_places
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.slo.slo import Slo
from barograph_alerter.windows.window import choose_step, finest_step_ms
from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, MOST_FIRINGS, Flapping
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings
from barograph_core.settings.server import ServerSettings
from barograph_core.steps import Step
from barograph_core.store.cover import ceil_to
from barograph_core.text.durations import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class AlerterSettings:
    """How panes become alerts."""

    default_rules: bool = field(default=True, metadata={"help": "whether the rules that ship are in force"})
    tick_ms: int = field(
        default=250,
        metadata={"minimum": 10, "maximum": 2_000, "help": "time between two looks at what is due by time"},
    )
    claim_idle_ms: int = field(
        default=2_000, metadata={"minimum": 100, "help": "hints pending for longer are taken over"}
    )
    catch_up_ms: int = field(
        default=600_000,
        metadata={"minimum": 1_000, "help": "closed panes this far back are still judged after a pause"},
    )
    cache_panes: int = field(
        default=100_000,
        metadata={"minimum": 1_000, "help": "most panes held ready in memory over all services, some KB each"},
    )
    keep_alerts_ms: int = field(
        default=90 * 86_400_000,
        metadata={"minimum": 60_000, "help": "how long entries stay on the alerts stream"},
    )
    flap_wait_ms: int = field(
        default=30_000,
        metadata={
            "minimum": 0,
            "maximum": 3_600_000,
            "help": "an alert fires again for this long before its cooldown ends on channels that were told it is over",
        },
    )

    flapping_firings: int = field(
        default=5,
        metadata={
            "minimum": 0,
            "maximum": MOST_FIRINGS,
            "help": "firings within flapping_within_ms from which on an alert flaps: then updates only; 0: never",
        },
    )
    flapping_within_ms: int = field(
        default=900_000,
        metadata={"minimum": SHORTEST_MS, "maximum": LONGEST_MS, "help": "time in which firings are counted"},
    )
    flapping_calm: int = field(
        default=1,
        metadata={
            "minimum": 0,
            "maximum": MOST_FIRINGS,
            "help": "an alert that fired no more often within flapping_within_ms no longer flaps",
        },
    )

    def __post_init__(self) -> None:
        if self.flapping_firings and self.flapping_calm >= self.flapping_firings:
            message = f"{self.flapping_calm} firings would end what {self.flapping_firings} begin: it must be fewer"
            raise ValueError(message)

    @property
    def flapping(self) -> Flapping | None:
        """Return when alerts count as flapping whose rule does not say it; ``None``: never."""
        if not self.flapping_firings:
            return None
        return Flapping(self.flapping_firings, self.flapping_within_ms, self.flapping_calm)


def check(config: ConfigFile, environ: Mapping[str, str]) -> list[Problem]:
    """Return every mistake in the section and the rules, for ``barograph check``.

    Each would refuse the start, except for conditions that cannot be meant: those are judged as they are.
    """
    problems: list[Problem] = []
    settings = AlerterSettings()
    try:
        settings = build_settings(AlerterSettings, "alerter", {}, environ, config)
    except SettingsError as error:
        problems += error.problems
    try:
        steps = build_settings(ServerSettings, "server", {}, environ, config).steps
    except SettingsError:
        # The check of the section [server] reports those mistakes.
        steps = ServerSettings().steps
    rules = rules_in_force(config, steps, problems, with_defaults=settings.default_rules, flapping=settings.flapping)
    places = rule_places(config)
    for rule in rules:
        if rule.name in places:
            found = lint_rule(rule) if rule.slo is None else _kept_mistake(rule.slo)
            problems += [_problem(config, places[rule.name], key, message) for key, message in found]
    return problems


def _problem(config: ConfigFile, place: tuple[str, int], key: str, message: str) -> Problem:
    section, index = place
    return Problem(config.where(section, index, key), f"{section}[{index + 1}].{key}", message)


def _kept_mistake(slo: Slo) -> Iterator[tuple[str, str]]:
    """Yield what is wrong where panes are kept for less than the period: its budget is that of what is kept."""
    period_ms = slo.objective.period_ms
    if slo.kept_ms < period_ms:
        kept, period = format_duration(slo.kept_ms), format_duration(period_ms)
        mend = f"keep the coarsest step of 'keep' in [server] for longer than {period}, or take a shorter period"
        yield "period", f"panes are kept for {kept} of {period} only, and the budget is that of these: {mend}"


def rules_in_force(
    config: ConfigFile,
    steps: Sequence[Step],
    problems: list[Problem],
    *,
    with_defaults: bool,
    flapping: Flapping | None = DEFAULT_FLAPPING,
) -> tuple[Rule, ...]:
    """Return the rules in force, and append to ``problems`` their mistakes, also windows too long for ``steps``."""
    read = effective_rules(config, problems, with_defaults=with_defaults, flapping=flapping)
    rules = tuple(_within(rule, steps) for rule in read)
    problems += _window_problems(config, rules, steps)
    return rules


def _within(rule: Rule, steps: Sequence[Step]) -> Rule:
    """Return the rule of an objective as these panes allow: its period, and the moments at which it is judged."""
    if rule.slo is None:
        return rule
    # Moments are multiples of the finest step: others would come at odd times, and the rest count as judged by no one.
    base_ms = steps[0].step_ms
    return replace(rule, slo=rule.slo.within(steps), every_ms=max(1, rule.every_ms // base_ms) * base_ms)


def _window_problems(config: ConfigFile, rules: Sequence[Rule], steps: Sequence[Step]) -> list[Problem]:
    """Return a problem for each rule that looks further back than panes are kept, or at parts of panes."""
    places = rule_places(config)
    problems: list[Problem] = []
    for rule in rules:
        found = _window_mistake(rule, steps)
        if found is None:
            continue
        (key, message), place = found, places.get(rule.name)
        if place is None:
            message += f"; {rule.name!r} ships with barograph: write one of your own of that name, or keep other panes"
            problems.append(Problem(config.where("server", "keep"), f"{rule.name}.{key}", message))
        else:
            problems.append(_problem(config, place, "windows" if rule.slo else key, message))
    return problems


def _window_mistake(rule: Rule, steps: Sequence[Step]) -> tuple[str, str] | None:
    """Return key and message of what is wrong with the rule's windows, ``None`` when nothing is."""
    too_long = [look for look in rule.looks if choose_step(look, steps) is None]
    if too_long:
        longest = format_duration(max(step.keep_ms for step in steps))
        key = "window" if rule.windows[0] in too_long else "when"
        if set(too_long).isdisjoint(rule.windows):
            key = "new_series_delay" if rule.established in too_long else "expect_for"
        reach = format_duration(max(look.reach_ms for look in too_long))
        return key, f"{reach} is longer than panes are kept ({longest})"
    base_ms = steps[0].step_ms
    if rule.window_ms % base_ms:
        window, base, next_up = map(format_duration, (rule.window_ms, base_ms, ceil_to(rule.window_ms, base_ms)))
        return "window", f"{window} is no multiple of the finest step of the store ({base}): {next_up} is"
    further = [(look, "when") for look in rule.windows[1:]]
    further += [(rule.established, "expect_for")] if rule.established else []
    for look, key in further:
        step_ms = finest_step_ms(look, steps)
        if look.span_ms % step_ms:
            span, ago, step = map(format_duration, (look.span_ms, look.offset_ms, step_ms))
            return key, f"looks at {span} of {ago} ago, when only panes of {step} are kept: take whole {step}"
    return None
