"""Reads the ``[[inhibit]]`` entries of the configuration, and names every mistake."""

from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.muting.inhibition import DEFAULT_INHIBITIONS, Inhibition


def parse_inhibitions(config: ConfigFile, problems: list[Problem]) -> tuple[Inhibition, ...]:
    """Return the inhibitions without mistakes, and append every mistake to ``problems``.

    A configuration without any has one: a critical alert holds back what is less severe about the same service and
    labels.
    """
    if not config.tables("inhibit"):
        return DEFAULT_INHIBITIONS
    found: list[Inhibition] = []
    for entry in TableEntry.all_of(config, "inhibit", problems):
        inhibition = Inhibition(
            source=entry.matchers("source"), target=entry.matchers("target"), equal=entry.texts("equal")
        )
        for key, matchers in (("source", inhibition.source), ("target", inhibition.target)):
            if not matchers and not entry.has_problems:
                entry.add_problem(key, f'says which alerts are meant, such as {key} = {{ severity = "critical" }}')
        entry.add_unknown_keys()
        if not entry.has_problems:
            found.append(inhibition)
    return tuple(found)
