"""The section ``[alerter]``; rules stand in ``[[rule]]``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barograph_alerter.defaults import effective_rules
from barograph_core.errors import Problem
from barograph_core.settings import ConfigFile, find_problems


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
    """Return every mistake in the section and the rules, for ``barograph check``."""
    problems = find_problems(AlerterSettings, "alerter", {}, environ, config)
    effective_rules(config, problems, with_defaults=False)
    return problems
