"""How much of the panes a log can give."""

from barograph_cli.history.log.complete_range import CompleteRange, LogExtent, Lost, complete_range_of
from barograph_core.server.replies import EntryId
from barograph_core.steps import parse_keep

STEPS = parse_keep("1s:15m,10s:2h")
LAST = EntryId(1_000_000, 3)


def complete(
    gone: EntryId | None = None, *, from_ms: int | None = None, to_ms: int | None = None, now_ms: int = 1_000_500
) -> CompleteRange:
    return complete_range_of(
        LogExtent(LAST, gone),
        from_ms=from_ms,
        to_ms=to_ms,
        now_ms=now_ms,
        base_step_ms=1_000,
        allowed_lateness_ms=60_000,
        max_future_ms=5_000,
    )


def bounds(found: CompleteRange) -> tuple[int, int]:
    return found.from_ms, found.to_ms


def test_a_whole_log_gives_every_pane_that_is_over() -> None:
    found = complete()
    assert (bounds(found), list(found.lost(STEPS))) == ((0, 1_000_000), [])


def test_of_a_trimmed_log_panes_begin_when_no_event_can_have_been_trimmed() -> None:
    """An event may come as much before its time as a clock may be ahead: so much later the panes are whole."""
    found = complete(EntryId(900_000, 7))
    assert bounds(found) == (906_000, 1_000_000)
    assert [(lost.step_ms, lost.from_ms, lost.to_ms) for lost in found.lost(STEPS)] == [
        (1_000, 900_000, 906_000),
        (10_000, 900_000, 910_000),
    ]


def test_a_range_gives_the_panes_inside_it() -> None:
    found = complete(from_ms=500_500, to_ms=521_000)
    assert bounds(found) == (501_000, 521_000)
    assert list(found.lost(STEPS)) == [
        Lost(1_000, 500_000, 501_000, "the range begins within them"),
        Lost(10_000, 500_000, 510_000, "the range begins within them"),
        Lost(10_000, 520_000, 530_000, "the range ends within them"),
    ]


def test_a_range_within_one_pane_gives_none() -> None:
    found = complete(from_ms=500_100, to_ms=500_900)
    assert found.from_ms == found.to_ms
    assert [(lost.from_ms, lost.to_ms) for lost in found.lost(STEPS)] == [(500_000, 501_000), (500_000, 510_000)]


def test_a_range_that_reaches_into_the_future_ends_now() -> None:
    found = complete(from_ms=990_000, to_ms=2_000_000)
    assert found.to_ms == 1_000_000
    assert {lost.reason for lost in found.lost(STEPS)} == {"they are not over yet"}


def test_every_entry_is_read_in_which_an_event_of_the_range_can_be() -> None:
    """From clocks that are ahead up to events that come late."""
    found = complete(from_ms=500_000, to_ms=510_000)
    assert (found.read_from, found.read_to.ms) == (EntryId(495_000, 0), 569_999)
    assert complete(from_ms=990_000).read_to == LAST
