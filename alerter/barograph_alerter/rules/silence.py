"""Reads what a rule expects to be there: which label sets, and from when on new ones count."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from barograph_alerter.rules.rule import Expect
from barograph_core.matching.matcher import Matcher
from barograph_core.settings.table_entry import TableEntry

_MOST_LISTED: Final = 1_000
_MAX_SPAN_MS: Final = 7 * 86_400_000
_EXPECT_FOR_MS: Final = 3_600_000
_WANTED: Final = '"seen", or a list of label sets such as [{ instance = "api-1" }, { instance = "api-2" }]'


def read_silence(entry: TableEntry) -> dict[str, Any]:
    """Return the facts of a rule that say what is expected; ``listed`` is still in the order of the file's labels."""
    kind: Expect = ""
    listed: list[dict[str, str]] = []
    if entry.is_given("expect"):
        value = entry.text_or_text_tables("expect", _WANTED)
        if isinstance(value, list):
            kind, listed = "listed", value
        else:
            # What is wrong has one mistake: that nothing is expected would be another.
            kind = "seen"
        if isinstance(value, str) and value != "seen":
            entry.add_problem("expect", f"must be {_WANTED}, not {value!r}")
    expect_for_ms = entry.duration_ms("expect_for", minimum=1_000, maximum=_MAX_SPAN_MS)
    delay_ms = entry.duration_ms("new_series_delay", minimum=0, maximum=_MAX_SPAN_MS) or 0
    if delay_ms % 1_000:
        entry.add_problem("new_series_delay", "must be whole seconds: windows are made of panes of one second")
    return {
        "expect": kind,
        "expect_for_ms": _EXPECT_FOR_MS if expect_for_ms is None else expect_for_ms,
        "listed": tuple(listed),
        "new_series_delay_ms": delay_ms,
    }


def check_silence(entry: TableEntry, facts: dict[str, Any], by: Sequence[str]) -> None:
    """Name what would never fire, or never mean anything, and bring the listed label sets into the order of ``by``."""
    kind: Expect = facts["expect"]
    if by and facts["no_data"] == "alert" and not kind:
        wanted = 'expect = "seen" (label sets that had data within expect_for) or a list of label sets'
        entry.add_problem("no_data", f"'alert' with 'by' ({', '.join(by)}) needs {wanted}")
    if kind and (not by or facts["no_data"] != "alert"):
        entry.add_problem("expect", "means something with 'by' and no_data = \"alert\" only: add them, or leave it out")
    if facts["new_series_delay_ms"] and not by:
        entry.add_problem("new_series_delay", "means something with 'by' only: the whole service is no new series")
    if kind != "seen" and entry.is_given("expect_for") and not facts["new_series_delay_ms"]:
        entry.add_problem("expect_for", 'means something with expect = "seen" or new_series_delay only: leave it out')
    if kind == "listed":
        facts["listed"] = _check_listed(entry, facts["listed"], by, services=facts["services"])


def _check_listed(
    entry: TableEntry, listed: Sequence[Mapping[str, str]], by: Sequence[str], *, services: Matcher | None
) -> tuple[tuple[str, ...], ...]:
    """Return the values of each label set in the order of ``by``."""
    if not listed or len(listed) > _MOST_LISTED:
        entry.add_problem("expect", f"must list 1 to {_MOST_LISTED} label sets, not {len(listed)}")
    if services is None:
        entry.add_problem("expect", "lists label sets, and every service would need them: name theirs in 'services'")
    wrong = next((one for one in listed if set(one) != set(by) or not all(one.values())), None)
    if wrong is not None:
        entry.add_problem(
            "expect", f"{dict(wrong)} must have a value for each label of 'by' ({', '.join(by)}), no others"
        )
        return ()
    found = [tuple(one[name] for name in by) for one in listed]
    twice = next((one for index, one in enumerate(found) if one in found[:index]), None)
    if twice is not None:
        entry.add_problem("expect", f"lists {dict(zip(by, twice, strict=True))} twice")
    return tuple(found)
