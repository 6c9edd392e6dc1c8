"""Memory of closed panes on the server by step and by service, as the aggregator last measured it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barograph_core.keyspace.keys import ShardKeys, parse_pane_member
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int

_FIGURES: Final = ("bytes", "blocks", "dropped_blocks", "dropped_bytes", "kept_from_ms")


@dataclass(frozen=True, slots=True)
class StepUsage:
    """The panes of one step, all services together.

    Attributes:
        blocks: Number of keys; each holds the panes within one pane of the next coarser step.
        dropped_blocks: Number of blocks ever dropped before the end of their retention, to keep the store within its
            memory.
        kept_from_ms: Start of the panes that are all kept; 0 when none was dropped.
    """

    step_ms: int
    bytes: int
    blocks: int
    dropped_blocks: int
    dropped_bytes: int
    kept_from_ms: int


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """The query store of one shard. ``bound_bytes``: 0 when there is no bound."""

    steps: tuple[StepUsage, ...]
    bound_bytes: int

    @property
    def bytes(self) -> int:
        return sum(step.bytes for step in self.steps)

    @property
    def dropped_blocks(self) -> int:
        return sum(step.dropped_blocks for step in self.steps)


@dataclass(frozen=True, slots=True)
class ServiceUsage:
    """The panes of one service and step.

    Attributes:
        series: Number of series of the service that are now kept separately.
    """

    service: str
    step_ms: int
    bytes: int
    blocks: int
    series: int

    @property
    def bytes_per_series(self) -> float | None:
        """Return the mean over the series, because a block holds all of them together; ``None`` without series."""
        return round(self.bytes / self.series, 1) if self.series else None


def parse_store(facts: Mapping[str, bytes]) -> StoreUsage:
    """Parse the hash ``store`` that the aggregator writes."""
    steps = sorted({int(name.partition(":")[2]) for name in facts if ":" in name})
    return StoreUsage(
        tuple(
            StepUsage(step_ms, *(int(facts.get(f"{figure}:{step_ms}", b"0")) for figure in _FIGURES))
            for step_ms in steps
        ),
        int(facts.get("bound_bytes", b"0")),
    )


def read_service_usage(connection: Connection, keys: ShardKeys) -> list[ServiceUsage]:
    """Return the usage of each service at each step, the largest first. Linear in the number of blocks.

    Raises:
        BarographError: The server is gone or refuses.
    """
    held: dict[tuple[str, int], list[int]] = {}
    for name, weight in as_hash(connection.command("HGETALL", keys.weights)).items():
        service, step_ms, _ = parse_pane_member(name)
        held.setdefault((service, step_ms), []).append(int(weight))
    services = sorted({service for service, _ in held})
    counts = connection.pipeline([("ZCARD", keys.series(service)) for service in services])
    series = {service: as_int(count) for service, count in zip(services, counts, strict=True)}
    found = [
        ServiceUsage(service, step_ms, sum(weights), len(weights), series[service])
        for (service, step_ms), weights in held.items()
    ]
    return sorted(found, key=lambda usage: (-usage.bytes, usage.service, usage.step_ms))
