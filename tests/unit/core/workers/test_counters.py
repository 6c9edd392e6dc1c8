"""What workers count and measure about themselves."""

from barograph_core.workers.counters import WorkerCounters


def test_only_what_was_counted_is_told() -> None:
    counters = WorkerCounters()
    counters.add("commits", 3)
    assert counters.snapshot() == {"commits": 3}


def test_a_distribution_tells_two_quantiles_and_what_a_mean_needs() -> None:
    counters = WorkerCounters()
    for value in range(1, 101):
        counters.observe("commit_ms", float(value))
    assert counters.snapshot() == {
        "commit_ms_p50": 50.0,
        "commit_ms_p99": 99.0,
        "commit_ms_count": 100,
        "commit_ms_sum": 5_050.0,
    }


def test_quantiles_are_of_the_newest_values_and_the_count_of_all() -> None:
    """Memory is bounded, and a slow minute an hour ago does not show for ever."""
    counters = WorkerCounters()
    for value in [9_000.0] * 5_000 + [1.0] * 1_024:
        counters.observe("commit_ms", value)
    facts = counters.snapshot()
    assert (facts["commit_ms_p99"], facts["commit_ms_count"]) == (1.0, 6_024)
