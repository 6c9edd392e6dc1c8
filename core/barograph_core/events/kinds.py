"""The kinds of events, as one table: labels, measures, units and valid values."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

SERVICE_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def is_service_name(text: str) -> bool:
    """Return whether ``text`` can name a service: 1 to 64 of ``A-Z a-z 0-9 . _ -``."""
    return SERVICE_PATTERN.match(text) is not None


SCHEMA_VERSION: Final = 1
MAX_EVENTS_PER_BATCH: Final = 1_000
MAX_BATCH_BYTES: Final = 1_048_576
# Limits of the events that one record of a sampled kind stands for, and of those that all records of a batch stand for.
MAX_WEIGHT: Final = 1_000
MAX_WEIGHTED_EVENTS: Final = 100_000
MAX_LABEL_BYTES: Final = 256
MAX_FREE_LABELS: Final = 16
# Limit of a value, so that its square is finite, and so is the sum of ten million squares.
MAX_MAGNITUDE: Final = 1e150
OTHER_LABEL: Final = "__other__"
ERROR_STATUS: Final = 500
# Name of the flag by which events of a kind without a status say whether they failed.
FAILED: Final = "failed"

# Values of a kind's labels in the order of the kind; after them the free labels, name and value in turn.
Labels: TypeAlias = tuple[str, ...]
KindName = Literal["request", "model", "system", "custom"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A numeric column of a kind.

    Attributes:
        name: Ends in the unit: ``duration_ms``.
        is_required: Whether an event without it is invalid.
        is_signed: Whether a value below zero is valid.
        maximum: The largest valid value.
        is_flag: Whether only 0 and 1 are valid; hosts may pass booleans.
    """

    name: str
    is_required: bool = False
    is_signed: bool = False
    maximum: float = MAX_MAGNITUDE
    is_flag: bool = False

    def accepts(self, value: float) -> bool:
        """Return whether ``value`` is valid: finite, in range, and negative only if the measure is signed."""
        if self.is_flag:
            return value in (0.0, 1.0)
        return (-self.maximum if self.is_signed else 0.0) <= value <= self.maximum


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of event carries.

    Attributes:
        labels: Names of the fixed labels, in wire order. Series differ by their values.
        measures: Columns, in wire order. An event may lack any of them. New ones are only ever appended: stored
            batches, panes and figures hold the columns by their place, and may hold fewer than there are now.
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

    @property
    def has_errors(self) -> bool:
        """Return whether events of this kind can say that they failed, by their status or by a flag."""
        return self.has_status or FAILED in self.measure_names


# Every kind by its name. New ones are only ever appended, because packed panes hold the kinds in this order.
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "request",
            ("route", "method"),
            (Measure("duration_ms", is_required=True),),
            has_status=True,
            has_free_labels=True,
        ),
        Kind(
            "model",
            ("model", "version"),
            (
                Measure("latency_ms"),
                Measure("confidence"),
                Measure("prediction", is_signed=True),
                Measure("absolute_error"),
                Measure(FAILED, maximum=1.0, is_flag=True),
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
        Kind("custom", ("name",), (Measure("value", is_required=True, is_signed=True),), has_free_labels=True),
    )
}

# Number of measures of each kind in panes of version 1 and in figures without a size, which do not state it. Those were
# written before any kind grew, so this table never changes.
UNSTATED_MEASURES: Final[dict[str, int]] = {"request": 1, "model": 4, "system": 12, "custom": 1}
