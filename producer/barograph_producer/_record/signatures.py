"""The signatures of the recording functions, for type checkers and editors. No other module names all measures.

``generated.py`` makes the functions from these signatures, so their parameters and defaults apply at run time too.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, SupportsFloat, TypeAlias, TypeVar


class HoldsNumbers(Protocol):
    """An array that can return its numbers as plain Python ones: numpy, torch, pandas, ``array``, ``memoryview``.

    This method reads them without importing any of those packages.
    """

    def tolist(self) -> object: ...


Column: TypeAlias = Sequence[SupportsFloat | None] | HoldsNumbers | SupportsFloat
ValueT_contra = TypeVar("ValueT_contra", contravariant=True)


class RecordRequest(Protocol):
    """Record one answered request. Never raises, never waits.

    ``at_ms`` is when it happened, in milliseconds since the epoch: now, if it is left out. Other calls take it too.
    """

    def __call__(
        self, route: str, method: str, status: int, duration_ms: float, at_ms: float | None = None
    ) -> None: ...


class RecordBoundRequest(Protocol):
    """Record one answered request of the route, method and status that the function is bound to."""

    def __call__(self, duration_ms: float) -> None: ...


class BindRequest(Protocol):
    """Return ``record(duration_ms)`` for one route, method and status: the least cost in a tight loop."""

    def __call__(self, route: str, method: str, status: int = 200) -> RecordBoundRequest: ...


class RecordSampledRequest(Protocol):
    """Record one answered request that stands for ``weight`` requests or has labels of its own."""

    def __call__(
        self,
        route: str,
        method: str,
        status: int,
        duration_ms: float,
        *,
        weight: int = 1,
        labels: Mapping[str, str] | None = None,
        at_ms: float | None = None,
    ) -> None: ...


class ModelSignature(Protocol[ValueT_contra]):
    """The labels and measures of a ``model`` event, whether one is recorded or many."""

    def __call__(
        self,
        model: str,
        version: str = "",
        *,
        latency_ms: ValueT_contra | None = None,
        confidence: ValueT_contra | None = None,
        prediction: ValueT_contra | None = None,
        absolute_error: ValueT_contra | None = None,
        failed: ValueT_contra | None = None,
        at_ms: float | None = None,
    ) -> None:
        """Record the known measures of a prediction, and leave out the others. Never raises, never waits.

        ``failed`` is a boolean, or 1 or 0. State it for each prediction or for none: the error rate is the share of
        errors in the events that state it. ``at_ms`` is one time, for many predictions too.
        """
        ...


class RecordModel(ModelSignature[float], Protocol):
    """Record one prediction of a model."""


class RecordModels(ModelSignature[Column], Protocol):
    """Record many predictions of one model in one call, one event for each row. Never raises, never waits.

    A measure is a sequence or an array with one number for each row, or a single number for every row. ``None`` in a
    list means that the row lacks the measure; NaN makes the row invalid, as it does with ``model``. Arrays of shape
    (n, 1) are accepted too. If columns differ in length or contain no numbers, the whole call is invalid: its rows
    are counted, and the reason is logged at most once a minute. The room in the buffer bounds the number of rows.
    """


class RecordSystem(Protocol):
    """Record figures of a process or a host. Leave out measures that are not known."""

    def __call__(
        self,
        *,
        instance: str | None = None,
        scope: str = "process",
        memory_mb: float | None = None,
        cpu_percent: float | None = None,
        memory_percent: float | None = None,
        disk_percent: float | None = None,
        threads: float | None = None,
        open_files: float | None = None,
        disk_read_mb_per_s: float | None = None,
        disk_write_mb_per_s: float | None = None,
        network_sent_mb_per_s: float | None = None,
        network_received_mb_per_s: float | None = None,
        load_1m: float | None = None,
        gc_collections: float | None = None,
        at_ms: float | None = None,
    ) -> None:
        """Record one sample.

        Args:
            instance: Name of the process or host; this producer's instance name when not given.
            scope: ``process`` or ``host``.
            memory_mb: Resident memory in MiB.
            cpu_percent: 0 to 100 of the cores it may use.
            memory_percent: 0 to 100 of the memory it may use.
            disk_percent: 0 to 100 of the disk that holds the root file system.
            threads: Number of threads.
            open_files: Number of open files.
            disk_read_mb_per_s: MiB a second.
            disk_write_mb_per_s: MiB a second.
            network_sent_mb_per_s: MiB a second.
            network_received_mb_per_s: MiB a second.
            load_1m: Load average of the last minute.
            gc_collections: Runs of the garbage collector since the previous sample.
            at_ms: When it was measured, in milliseconds since the epoch; now when not given.
        """
        ...


class RecordCustom(Protocol):
    """Record one value under a name of the host's own."""

    def __call__(self, name: str, value: float, /, *, at_ms: float | None = None, **labels: str) -> None:
        """Record one value of the time ``at_ms``; labels are free, at most 16. Never raises, never waits."""
        ...
