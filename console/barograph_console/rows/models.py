"""The table of models: one row for each version, side by side."""

from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from pydantic import Field

from barograph_console.rows.figures import average_of, quantile_of, ratio_of
from barograph_console.rows.histogram import histogram
from barograph_console.serving.numbers import Finite
from barograph_core.events.kinds import FAILED
from barograph_core.panes.pane import Pane
from barograph_core.panes.summary import SeriesSummary

# Measures that a prediction has when it is made; its error becomes known later, often in an event of its own.
_AT_PREDICTION: Final = ("latency_ms", "confidence", "prediction", FAILED)
# One scale for all versions: a confidence is a probability.
CONFIDENCE_EDGES: Final = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One version of a model."""

    model: str
    version: str
    events: int
    share_ratio: Annotated[Finite | None, Field(description="share of the predictions of this model")]
    labelled_ratio: Annotated[Finite | None, Field(description="share of the predictions whose truth is known")]
    mae: Annotated[Finite | None, Field(description="mean absolute error of the labelled predictions")]
    confidence: Annotated[Finite | None, Field(description="mean confidence")]
    p95_ms: Annotated[Finite | None, Field(description="p95 of the latency")]
    errors: Annotated[int, Field(description="predictions that failed")]
    error_ratio: Annotated[
        Finite | None, Field(description="share of errors in the events that say whether they failed")
    ]
    hist: Annotated[list[int], Field(description="confidences in 20 bins of equal width from 0 to 1")]


def model_rows(pane: Pane) -> list[ModelRow]:
    """Return one row for each version, by model, the version with most predictions first."""
    series = pane.group("model", ("model", "version"))
    totals: dict[str, int] = {}
    for row in series:
        totals[row.labels[0]] = totals.get(row.labels[0], 0) + predictions_of(row)
    rows = [_row(row, totals[row.labels[0]]) for row in series]
    return sorted(rows, key=lambda row: (row.model, -row.events, row.version))


def predictions_of(row: SeriesSummary) -> int:
    """Return how many predictions are among the events, at the least; the others bring only an error.

    A pane counts each measure on its own. An event without an error is a prediction whatever it states, so those of a
    caller that states only ``failed`` count next to those of another that states the latency.
    """
    stated = max(row.measures[name].count for name in _AT_PREDICTION)
    return max(stated, row.count - row.measures["absolute_error"].count) or row.count


def _row(row: SeriesSummary, total: int) -> ModelRow:
    error, confidence = row.measures["absolute_error"], row.measures["confidence"]
    predictions = predictions_of(row)
    return ModelRow(
        model=row.labels[0],
        version=row.labels[1],
        events=row.count,
        share_ratio=ratio_of(predictions, total),
        # Errors of predictions before this window may outnumber the predictions in it.
        labelled_ratio=ratio_of(min(error.count, predictions), predictions),
        mae=average_of(error),
        confidence=average_of(confidence),
        p95_ms=quantile_of(row.measures["latency_ms"], 0.95),
        errors=row.errors,
        error_ratio=ratio_of(row.errors, row.outcomes),
        hist=histogram(confidence, CONFIDENCE_EDGES),
    )
