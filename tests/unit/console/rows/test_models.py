import numpy as np

from barograph_console.rows.histogram import histogram
from barograph_console.rows.models import model_rows
from barograph_console.rows.system import system_rows
from barograph_core.panes.pane import Pane
from tests.batches import Event, decoded, panes_by_start


def pane_of(kind: str, *events: Event) -> Pane:
    return Pane.merge(list(panes_by_start([decoded(kind, events)], 1_000).values()))


def prediction(version: str, confidence: float, error: float | None = None) -> Event:
    return Event(("ctr", version), 1_000, (8.0, confidence, None, error))


def test_versions_stand_side_by_side_with_their_share_and_labels() -> None:
    """The version with most predictions first; MAE only over those whose truth is known."""
    pane = pane_of(
        "model",
        prediction("8", 0.5, error=2.0),
        prediction("7", 0.9),
        prediction("7", 0.98, error=4.0),
        prediction("7", 1.0),
    )
    rows = model_rows(pane)
    assert [(row.version, row.events, row.share_ratio, row.labelled_ratio, row.mae) for row in rows] == [
        ("7", 3, 0.75, 0.333333, 4.0),
        ("8", 1, 0.25, 1.0, 2.0),
    ]
    assert (rows[0].confidence, rows[0].p95_ms) == (0.96, 8.0)
    assert rows[0].hist == [0] * 18 + [1, 2]
    assert rows[1].hist == [0] * 10 + [1] + [0] * 9


def test_an_error_that_comes_later_is_no_prediction() -> None:
    """The truth often has an event of its own: it labels a prediction and is none."""
    late_errors = [Event(("ctr", "7"), 1_000, (None, None, None, 4.0))] * 3
    pane = pane_of("model", *[prediction("7", 0.9)] * 6, *late_errors, prediction("8", 0.9), prediction("8", 0.9))
    rows = model_rows(pane)
    assert [(row.version, row.events, row.share_ratio, row.labelled_ratio) for row in rows] == [
        ("7", 9, 0.75, 0.5),
        ("8", 2, 0.25, 0.0),
    ]


def test_predictions_that_failed_are_counted_among_those_that_state_it() -> None:
    """An event that brings the truth, and one of an earlier version, state nothing."""
    flags = [Event(("ctr", "7"), 1_000, (8.0, None, None, None, flag)) for flag in (1.0, 0.0, 0.0, 0.0)]
    truth = Event(("ctr", "7"), 1_000, (None, None, None, 4.0, None))
    earlier = Event(("ctr", "8"), 1_000, (8.0, 0.9, None, None, None))
    rows = model_rows(pane_of("model", *flags, truth, earlier))
    assert [(row.version, row.errors, row.error_ratio) for row in rows] == [("7", 1, 0.25), ("8", 0, None)]


def test_a_prediction_that_states_only_its_failure_is_counted() -> None:
    """Callers of one version may state different things, and errors that come later are still none of them."""
    timed = [Event(("ctr", "7"), 1_000, (8.0, 0.9, None, None, None))] * 3
    failed = [Event(("ctr", "7"), 1_000, (None, None, None, None, 1.0))] * 2
    late_errors = [Event(("ctr", "7"), 1_000, (None, None, None, 4.0, None))] * 4
    (row,) = model_rows(pane_of("model", *timed, *failed, *late_errors))
    assert (row.events, row.errors, row.labelled_ratio) == (9, 2, 0.8)


def test_a_histogram_loses_no_value() -> None:
    """What lies outside of the edges counts in the outermost bins."""
    pane = pane_of("custom", *(Event(("queue",), 1_000, (value,)) for value in (-5.0, 0.0, 0.3, 1.0, 99.0)))
    summary = pane.group("custom")[0].measures["value"]
    assert histogram(summary, np.array([0.0, 0.5, 1.0])) == [3, 2]


def test_a_process_shows_the_limits_of_the_rules_that_watch_it() -> None:
    values = (800.0, 50.0, *(None,) * 10)
    pane = pane_of("system", Event(("api-1", "process"), 1_000, values), Event(("host-a", "host"), 1_000, values))
    rows = system_rows(pane, {"process": {"memory_mb": 1_000.0}})
    assert [(row.instance, row.scope, row.memory_mb, row.limits) for row in rows] == [
        ("api-1", "process", 800.0, {"memory_mb": 1_000.0}),
        ("host-a", "host", 800.0, {}),
    ]
    assert (rows[0].cpu_percent, rows[0].threads) == (50.0, None)
