"""Reads how a ``[[channel]]`` groups and repeats: ``group_by``, ``wait``, ``interval`` and ``repeat``."""

import re
from typing import Final

from barograph_core.alerts.record import Severity
from barograph_core.settings.config_file import suggestion
from barograph_core.settings.table_entry import TableEntry
from barograph_core.text.durations import format_duration, parse_duration_ms
from barograph_notifier.outbox.grouping import OWN_NAMES, Grouping

DEFAULT_WAIT_MS: Final = 10_000
DEFAULT_INTERVAL_MS: Final = 300_000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}\Z", re.ASCII)
_MOST_NAMES: Final = 10
_DAY_MS: Final = 86_400_000
# A repetition sooner than this would be a mistake, or a test.
_SHORTEST_REPEAT_MS: Final = 60_000
_LONGEST_REPEAT_MS: Final = 30 * _DAY_MS


def read_grouping(entry: TableEntry) -> Grouping:
    """Return the channel's grouping, after recording its mistakes in ``entry``."""
    by = _read_names(entry) if entry.is_given("group_by") else None
    wait_ms = entry.duration_ms("wait", minimum=0, maximum=_DAY_MS)
    interval_ms = entry.duration_ms("interval", minimum=0, maximum=_DAY_MS)
    repeat_ms = _read_repeat(entry)
    if by is None:
        for key in ("wait", "interval"):
            if entry.is_given(key):
                entry.add_problem(key, 'goes with group_by = ["service", …]: an alert by itself waits for no other')
        return Grouping(repeat_ms=repeat_ms)
    return Grouping(
        by=by,
        wait_ms=DEFAULT_WAIT_MS if wait_ms is None else wait_ms,
        interval_ms=DEFAULT_INTERVAL_MS if interval_ms is None else interval_ms,
        repeat_ms=repeat_ms,
    )


def _read_names(entry: TableEntry) -> tuple[str, ...]:
    names = entry.texts("group_by")
    for name in names:
        if name == "severity":
            entry.add_problem(
                "group_by", "'severity' may rise while an alert fires: select it by the min_severity of a [[route]]"
            )
        elif not _NAME.match(name):
            entry.add_problem("group_by", f"{name!r} is neither {', '.join(OWN_NAMES)} nor the name of a label")
    if len(set(names)) != len(names):
        entry.add_problem("group_by", "names a label twice")
    if len(names) > _MOST_NAMES:
        entry.add_problem("group_by", f"has {len(names)} names; at most {_MOST_NAMES} are allowed")
    return names


def _read_repeat(entry: TableEntry) -> dict[Severity, int]:
    """Return the repetition by severity; one duration goes for all of them."""
    given = entry.text_or_table("repeat", 'a duration such as "4h", or a table { critical = "1h", error = "4h" }')
    if isinstance(given, str):
        given = {severity.value: given for severity in Severity}
    found = dict[Severity, int]()
    known = [severity.value for severity in Severity]
    for name, text in given.items():
        if name not in known:
            entry.add_problem("repeat", f"{name!r} is not a severity{suggestion(name, known)}")
            continue
        try:
            ms = parse_duration_ms(text)
        except ValueError as error:
            entry.add_problem("repeat", str(error))
            return {}
        if not _SHORTEST_REPEAT_MS <= ms <= _LONGEST_REPEAT_MS:
            limits = f"{format_duration(_SHORTEST_REPEAT_MS)} to {format_duration(_LONGEST_REPEAT_MS)}"
            entry.add_problem("repeat", f"must be {limits}, not {text!r}")
            return {}
        found[Severity(name)] = ms
    return found
