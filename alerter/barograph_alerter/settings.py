"""The section ``[alerter]``; rules stand in ``[[rule]]``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barograph_alerter.defaults import effective_rules
from barograph_alerter.rules import Rule
from barograph_alerter.windows import choose_step
from barograph_core.durations import format_duration
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings import ConfigFile, ServerSettings, build_settings
from barograph_core.steps import Step


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
        default=50_000, metadata={"minimum": 1_000, "help": "most panes held in memory, over all services"}
    )
    keep_alerts_ms: int = field(
        default=90 * 86_400_000,
        metadata={"minimum": 60_000, "help": "how long entries stay on the alerts stream"},
    )


def check(config: ConfigFile, environ: Mapping[str, str]) -> list[Problem]:
    """Return every mistake in the section and the rules, for ``barograph check``: what would refuse the start."""
    problems: list[Problem] = []
    with_defaults = True
    try:
        with_defaults = build_settings(AlerterSettings, "alerter", {}, environ, config).default_rules
    except SettingsError as error:
        problems += error.problems
    try:
        steps = build_settings(ServerSettings, "server", {}, environ, config).steps
    except SettingsError:
        # Those mistakes are told with the section [server].
        steps = ServerSettings().steps
    rules_in_force(config, steps, problems, with_defaults=with_defaults)
    return problems


def rules_in_force(
    config: ConfigFile, steps: Sequence[Step], problems: list[Problem], *, with_defaults: bool
) -> tuple[Rule, ...]:
    """Return the rules in force, and append to ``problems`` what is wrong with them, also with those ``steps``."""
    rules = effective_rules(config, problems, with_defaults=with_defaults)
    problems += _window_problems(config, rules, steps)
    return rules


def _window_problems(config: ConfigFile, rules: Sequence[Rule], steps: Sequence[Step]) -> list[Problem]:
    """Return a problem for each rule that looks further back than panes are kept."""
    longest = format_duration(max(step.keep_ms for step in steps))
    index_of = {table.get("name"): index for index, table in enumerate(config.tables("rule"))}
    problems: list[Problem] = []
    for rule in rules:
        if choose_step(rule.window_ms, steps) is not None:
            continue
        message = f"{format_duration(rule.window_ms)} is longer than panes are kept ({longest})"
        index = index_of.get(rule.name)
        if index is None:
            message += f"; {rule.name!r} ships with barograph: write one of your own of that name, or keep panes longer"
            problems.append(Problem(config.where("server", "keep"), f"{rule.name}.window", message))
        else:
            problems.append(Problem(config.where("rule", index, "window"), f"rule[{index + 1}].window", message))
    return problems
