"""Makes a pane of the values by which the pipeline reports on itself."""

from collections.abc import Sequence
from typing import Final

from barograph_core.decode.batch import decode_batch
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import SELF_SERVICE
from barograph_core.panes.pane import Pane

WATERMARK_AGE: Final = "watermark_age_ms"
_CUSTOM: Final = KINDS["custom"]


def self_series(name: str) -> str:
    """Return the name of the custom series of a value: ``barograph.lag_ms``."""
    return f"{SELF_SERVICE}.{name}"


def pane_of_values(values: Sequence[tuple[str, float]], at_ms: int, step_ms: int) -> Pane:
    """Return the pane of ``values`` by name, all of the time ``at_ms``. A name may occur several times."""
    names = sorted({self_series(name) for name, _ in values})
    series = [names.index(self_series(name)) for name, _ in values]
    columns = [[value for _, value in values]]
    batch = encode_batch(_CUSTOM, [(name,) for name in names], series, [at_ms] * len(values), columns)
    # Encode and decode a batch, so that these values are treated like those of any producer.
    fields = entry_fields(batch, service=SELF_SERVICE, instance="aggregator", seq=1, through_ms=at_ms)
    as_bytes = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
    }
    (pane,) = Pane.of_blocks([decode_batch(as_bytes).block], step_ms).values()
    return pane
