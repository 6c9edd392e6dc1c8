"""Records ``system`` events: figures of a process or a host."""

from collections.abc import Callable
from typing import Protocol

from barograph_producer._buffer import Buffer, Record, SlowPath
from barograph_producer._recorder import Stamp


class RecordSystem(Protocol):
    """Record figures of a process or a host. Leave out what is not known."""

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
    ) -> None:
        """Record one sample.

        Args:
            instance: Whose figures they are; the producer's name when not given.
            scope: ``process`` or ``host``.
            memory_mb: Resident memory in MiB.
            cpu_percent: 0 to 100 of the cores it may use.
            memory_percent: 0 to 100 of the memory it may use.
            disk_percent: 0 to 100.
            threads: Their number.
            open_files: Their number.
            disk_read_mb_per_s: MiB a second.
            disk_write_mb_per_s: MiB a second.
            network_sent_mb_per_s: MiB a second.
            network_received_mb_per_s: MiB a second.
            load_1m: Load average of the last minute.
            gc_collections: Runs of the garbage collector since the sample before.
        """
        ...


def make_system_recorder(
    buffer: Buffer, turn_away: SlowPath, stamp_s: Stamp, own_instance: Callable[[], str]
) -> RecordSystem:
    """Return the function that records a system event. Not the hot path: a sample comes every few seconds."""

    def system(
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
    ) -> None:
        record: Record = (
            stamp_s(), own_instance() if instance is None else instance, scope,
            memory_mb, cpu_percent, memory_percent, disk_percent, threads, open_files,
            disk_read_mb_per_s, disk_write_mb_per_s, network_sent_mb_per_s, network_received_mb_per_s,
            load_1m, gc_collections,
        )  # fmt: skip
        if len(buffer.records) < buffer.limit:
            buffer.records.extend(record)
        else:
            turn_away(buffer, record)

    return system
