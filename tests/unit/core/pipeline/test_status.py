import pytest

from barograph_core.pipeline.status import (
    ServiceProducers,
    StreamBacklog,
    group_lag_ms,
    is_missing,
    known_backlog,
    parse_producer,
)
from barograph_core.server.replies import EntryId


@pytest.mark.parametrize(
    ("through_ms", "expected"), [(1_000_000, False), (999_999, True), (700_000, True), (699_999, False)]
)
def test_an_instance_is_missing_until_it_is_given_up(through_ms: int, expected: bool) -> None:
    """Behind the pane's end, but not silent for longer than five minutes."""
    assert is_missing(through_ms, 1_000_000, 300_000) is expected


def test_the_missing_are_counted() -> None:
    producers = ServiceProducers((1_000_001, 999_000, 1), no_data_ms=300_000)
    assert producers.count_missing(1_000_000) == 1


def test_the_ends_of_a_stream_tell_most_backlogs() -> None:
    """Nothing, all, or unknown: only a group in the middle of its stream needs counting."""
    first, last = EntryId(9, 0), EntryId(10, 0)
    assert known_backlog(EntryId(10, 0), 5, first, last) == StreamBacklog(0, is_capped=False, oldest=None)
    assert known_backlog(EntryId(8, 7), 5, first, last) == StreamBacklog(5, is_capped=False, oldest=first)
    assert known_backlog(EntryId(9, 0), 5, first, last) is None
    assert known_backlog(EntryId(0, 0), 0, None, None) == StreamBacklog(0, is_capped=False, oldest=None)


def test_lag_is_the_age_of_the_oldest_entry_not_done() -> None:
    """Pending or unread, whichever is older; a clock that stepped back gives no negative age."""
    assert group_lag_ms(1_000, EntryId(900, 0), EntryId(400, 3)) == 600
    assert group_lag_ms(1_000, None, EntryId(1_200, 0)) == 0
    assert group_lag_ms(1_000, None, None) == 0


@pytest.mark.parametrize("stats", [b"", b"{", b"[1]", b'{"sent": "x", "dropped": [1]}', b"\xff"])
def test_statistics_that_cannot_be_read_count_as_none(stats: bytes) -> None:
    """They come from other people's processes, and must not break the status of all."""
    producer = parse_producer("ranker", "h:1:aa", 5_000, stats, at_ms=6_000, closed_ms=None, no_data_ms=300_000)
    assert (producer.sent, producer.drops, producer.through_age_ms, producer.is_missing) == (0, {}, 1_000, False)


def test_a_producer_is_given_up_as_the_aggregators_are_set() -> None:
    """Silent for a minute it counts as gone, where the setting says so."""
    producer = parse_producer("ranker", "h:1:aa", 5_000, b"", at_ms=66_000, closed_ms=66_000, no_data_ms=60_000)
    assert (producer.is_silent, producer.is_missing) == (True, False)


def test_a_producer_tells_which_label_has_too_many_values() -> None:
    stats = b'{"sent": 9, "folded_by": {"request.route": 7, "custom.name": "x"}}'
    producer = parse_producer("ranker", "h:1:aa", 5_000, stats, at_ms=6_000, closed_ms=None, no_data_ms=300_000)
    assert producer.folded == {"request.route": 7}
