"""Reads the ``[[escalation]]`` entries of the configuration, and names every mistake."""

from collections.abc import Iterator

from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import DEFAULT_CHANNEL
from barograph_notifier.escalation.escalation import Escalation, Step

_SHORTEST_MS = 1_000
_LONGEST_MS = 7 * 86_400_000
_MOST_STEPS = 20


def parse_escalations(config: ConfigFile, problems: list[Problem]) -> tuple[Escalation, ...]:
    """Return the escalations without mistakes, in order, and append every mistake to ``problems``."""
    channels = [str(table.get("name", "")) for table in config.tables("channel")] or [DEFAULT_CHANNEL]
    found: list[Escalation] = []
    for entry in TableEntry.all_of(config, "escalation", problems):
        match = entry.matchers("match")
        steps = tuple(_steps(entry, channels))
        if not steps and not entry.has_problems:
            entry.add_problem("steps", 'says who hears when: steps = [{ after = "10m", channels = ["phones"] }]')
        if len(steps) > _MOST_STEPS:
            entry.add_problem("steps", f"has {len(steps)} steps; at most {_MOST_STEPS} are allowed")
        entry.add_unknown_keys()
        if not entry.has_problems:
            found.append(Escalation(match, steps))
    return tuple(found)


def _steps(entry: TableEntry, channels: list[str]) -> Iterator[Step]:
    for step in entry.tables("steps"):
        after_ms = step.duration_ms("after", minimum=_SHORTEST_MS, maximum=_LONGEST_MS)
        if after_ms is None and not step.has_problems:
            step.add_problem("after", 'says how long after the first message: after = "10m"')
        named = step.texts("channels", is_required=True)
        for name in named:
            if name not in channels:
                step.add_problem("channels", f"{name!r} is not a channel{suggestion(name, channels)}")
        step.add_unknown_keys()
        if not step.has_problems:
            yield Step(after_ms or 0, named)
