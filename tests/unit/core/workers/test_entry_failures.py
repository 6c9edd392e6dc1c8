from barograph_core.server.replies import EntryId
from barograph_core.workers.entry_failures import EntryFailures

FIRST, SECOND = EntryId(1, 0), EntryId(2, 0)


def test_an_entry_is_given_up_when_others_are_taken() -> None:
    """Then it is at fault, whatever the reason."""
    failures = EntryFailures(3)
    outcomes = [failures.add(FIRST), failures.add(SECOND)]
    failures.note_taken([EntryId(3, 0)])
    outcomes += [failures.add(SECOND), failures.add(SECOND), failures.add(SECOND)]
    assert outcomes == [False, False, False, False, True]


def test_where_nothing_is_taken_one_entry_at_a_time_is_given_up() -> None:
    """The fault may be everybody's: what is good must not go with it."""
    failures = EntryFailures(3)
    outcomes = [(failures.add(FIRST), failures.add(SECOND)) for _ in range(3)]
    assert (outcomes, failures.forget(FIRST)) == ([(False, False), (False, False), (True, False)], 3)
    assert [failures.add(SECOND) for _ in range(3)] == [False, False, True]


def test_an_entry_that_is_taken_after_all_begins_anew() -> None:
    failures = EntryFailures(2)
    failures.add(FIRST)
    failures.note_taken([FIRST])
    assert (len(failures), failures.add(FIRST), failures.add(FIRST)) == (0, False, True)


def test_entries_that_were_claimed_away_are_forgotten() -> None:
    """Their new owner counts for himself."""
    failures = EntryFailures(2)
    failures.add(FIRST)
    failures.add(SECOND)
    failures.keep_only({SECOND})
    assert (len(failures), failures.add(SECOND), failures.add(SECOND)) == (1, False, True)
