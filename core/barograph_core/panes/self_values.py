"""Makes a pane of the values by which the pipeline reports on itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.decode.batch import decode_batch
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import SELF_SERVICE, self_series
from barograph_core.panes.pane import Pane

WATERMARK_AGE: Final = "watermark_age_ms"
_CUSTOM: Final = KINDS["custom"]


@dataclass(frozen=True, slots=True)
class SelfValue:
    """One value of the pipeline about itself.

    Attributes:
        name: Such as ``lag_ms``.
        labels: Names and values of free labels in turn.
    """

    name: str
    value: float
    labels: tuple[str, ...] = ()


def pane_of_values(values: Sequence[SelfValue], at_ms: int, step_ms: int) -> Pane:
    """Return the pane of ``values``, all of the time ``at_ms``. A series may occur several times."""
    label_sets = [(self_series(one.name), *one.labels) for one in values]
    known = sorted(set(label_sets))
    series = [known.index(labels) for labels in label_sets]
    columns = [[one.value for one in values]]
    batch = encode_batch(_CUSTOM, known, series, [at_ms] * len(values), columns)
    # Encode and decode a batch, so that these values are treated like those of any producer.
    fields = entry_fields(batch, service=SELF_SERVICE, instance="aggregator", seq=1, through_ms=at_ms)
    as_bytes = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
    }
    (pane,) = Pane.of_blocks([decode_batch(as_bytes).block], step_ms).values()
    return pane
