"""The kinds of events, as one table: labels, measures, units and what a value may be."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

SCHEMA_VERSION: Final = 1
MAX_EVENTS_PER_BATCH: Final = 1_000
MAX_BATCH_BYTES: Final = 1_048_576
# What one record of a sampled kind may stand for, and what the records of one batch may stand for together.
MAX_WEIGHT: Final = 1_000
MAX_WEIGHTED_EVENTS: Final = 100_000
MAX_LABEL_BYTES: Final = 256
MAX_FREE_LABELS: Final = 16
# A square must stay finite, and so must the sum of ten million of them.
MAX_MAGNITUDE: Final = 1e150
OTHER_LABEL: Final = "__other__"
ERROR_STATUS: Final = 500

# Values of a kind's labels, in its order; of free labels, name and value in turn after the fixed ones.
Labels: TypeAlias = tuple[str, ...]
KindName = Literal["request", "model", "system", "custom"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A numeric column of a kind.

    Attributes:
        name: Bears its unit: ``duration_ms``.
        is_signed: Whether a value below zero makes sense. Where it does not, it is invalid.
        maximum: The largest valid value.
    """

    name: str
    is_signed: bool = False
    maximum: float = MAX_MAGNITUDE

    def accepts(self, value: float) -> bool:
        """Say whether ``value`` is one: finite, in range, not negative where that has no meaning."""
        return (-self.maximum if self.is_signed else 0.0) <= value <= self.maximum


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of event carries.

    Attributes:
        labels: Names of the fixed labels, in wire order. Series differ by their values.
        measures: Columns, in wire order. An event may lack any of them.
        has_status: An integer status follows the labels; the pane counts each code exactly.
        has_free_labels: Pairs of a label's name and value, sorted by name, follow the fixed labels and the status.
    """

    name: KindName
    labels: tuple[str, ...]
    measures: tuple[Measure, ...]
    has_status: bool = False
    has_free_labels: bool = False

    @property
    def measure_names(self) -> tuple[str, ...]:
        return tuple(measure.name for measure in self.measures)


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("request", ("route", "method"), (Measure("duration_ms"),), has_status=True, has_free_labels=True),
        Kind(
            "model",
            ("model", "version"),
            (
                Measure("latency_ms"),
                Measure("confidence"),
                Measure("prediction", is_signed=True),
                Measure("absolute_error"),
            ),
        ),
        Kind(
            "system",
            ("instance", "scope"),
            (
                Measure("memory_mb"),
                Measure("cpu_percent"),
                Measure("memory_percent"),
                Measure("disk_percent"),
                Measure("threads"),
                Measure("open_files"),
                Measure("disk_read_mb_per_s"),
                Measure("disk_write_mb_per_s"),
                Measure("network_sent_mb_per_s"),
                Measure("network_received_mb_per_s"),
                Measure("load_1m"),
                Measure("gc_collections"),
            ),
        ),
        Kind("custom", ("name",), (Measure("value", is_signed=True),), has_free_labels=True),
    )
}
