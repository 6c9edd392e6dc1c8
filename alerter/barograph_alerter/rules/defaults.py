"""The rules that ship: in force until ``[alerter] default_rules = false`` or a rule of the same name."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from barograph_alerter.rules.pipeline_rules import PIPELINE_RULES
from barograph_alerter.rules.reading import parse_rules, rule_places
from barograph_alerter.rules.rule import Rule
from barograph_alerter.rules.slo.reading import parse_slos
from barograph_core.alerts.flapping.flaps import DEFAULT_FLAPPING, Flapping
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile, parse_config

# Requests are judged per service, as in the SRE workbook and the defaults of commercial APM: one incident is one
# alert, and its contributors name the routes. Per route, a fault of all routes would alert once for each, and a
# service of many quiet routes would never reach 20 requests on any of them.
# Models are judged per version and memory per process, because people act on one version or process.
# Absolute errors arrive later than predictions and not for all, so the guard counts the errors.
# Traffic that stops is no recovery (no_data = "keep"); versions and processes end normally ("resolve").
DEFAULT_RULES: Final = """
[[rule]]
name = "high-error-rate"
on = "request"
window = "10s"
when = "error_rate > 0.05 and count >= 20"
resolve_when = "error_rate < 0.03"
keep_firing_for = "5s"
severity = "critical"
summary = "{{ error_rate | percent }} of {{ count }} requests to {{ service }} failed in {{ window }}"

[[rule]]
name = "slow-responses"
on = "request"
window = "10s"
when = "duration_ms.p95 > 500 and count >= 20"
resolve_when = "duration_ms.p95 < 400"
keep_firing_for = "5s"
severity = "warning"
summary = "p95 of {{ service }} is {{ duration_ms.p95 | ms }} over {{ count }} requests in {{ window }}"

[[rule]]
name = "model-error"
on = "model"
by = ["model", "version"]
window = "5m"
when = "absolute_error.avg > 15 and absolute_error.count >= 50"
resolve_when = "absolute_error.avg < 12"
severity = "error"
no_data = "resolve"
summary = "MAE of {{ model }} {{ version }} is {{ absolute_error.avg }} over {{ absolute_error.count }} predictions"

[[rule]]
name = "high-memory"
on = "system"
by = ["instance"]
where = { scope = "process" }
window = "1m"
when = "memory_mb.avg > 1000"
resolve_when = "memory_mb.avg < 900"
for = "30s"
severity = "warning"
no_data = "resolve"
summary = "{{ instance }} holds {{ memory_mb.avg | rounded }} MB"

[[rule]]
name = "high-cpu"
on = "system"
by = ["instance"]
where = { scope = "host" }
window = "1m"
when = "cpu_percent.avg > 80"
resolve_when = "cpu_percent.avg < 70"
for = "30s"
severity = "warning"
no_data = "resolve"
summary = "host of {{ instance }} is {{ cpu_percent.avg | rounded }} % busy"
"""


def default_rules() -> list[Rule]:
    """Return the five rules that ship for the services."""
    return _shipped(DEFAULT_RULES)


def pipeline_rules() -> list[Rule]:
    """Return the rules that ship for the pipeline itself."""
    return _shipped(PIPELINE_RULES)


def _shipped(text: str) -> list[Rule]:
    problems: list[Problem] = []
    rules = parse_rules(parse_config(text, Path("default rules")), problems)
    if problems:
        raise SettingsError(problems)
    return rules


def effective_rules(
    config: ConfigFile,
    problems: list[Problem],
    *,
    with_defaults: bool,
    flapping: Flapping | None = DEFAULT_FLAPPING,
) -> tuple[Rule, ...]:
    """Return the rules in force: the user's own, those of objectives, and the default rules of other names.

    ``flapping`` holds for rules that say nothing about it.
    """
    taken: set[str] = set()
    own = [
        *parse_rules(config, problems, flapping, taken),
        *parse_slos(config, problems, flapping, taken),
    ]
    # A user's rule with a mistake still replaces the default of its name.
    named = rule_places(config)
    shipped = [*default_rules(), *pipeline_rules()] if with_defaults else []
    kept = [rule for rule in shipped if rule.name not in named]
    if flapping != DEFAULT_FLAPPING:
        kept = [replace(rule, flapping=flapping) for rule in kept]
    return (*kept, *own)
