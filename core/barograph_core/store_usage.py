"""What closed panes take on the server, by step and by service: as the aggregator has weighed it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from barograph_core.keys import ShardKeys, parse_pane_member
from barograph_core.stream import Connection, as_hash, as_int

_FIGURES: Final = ("bytes", "blocks", "dropped_blocks", "dropped_bytes", "kept_from_ms")


@dataclass(frozen=True, slots=True)
class StepUsage:
    """The panes of one step, all services together.

    Attributes:
        blocks: Keys they lie in: each holds those within one pane of the next coarser step.
        dropped_blocks: Dropped before the end of their retention, ever, to keep the store within its memory.
        kept_from_ms: Panes from here on were all kept; 0 when none was dropped.
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
        series: Series of the service that are kept apart now.
    """

    service: str
    step_ms: int
    bytes: int
    blocks: int
    series: int

    @property
    def bytes_per_series(self) -> float | None:
        """Return the mean over the series kept apart, for a block holds all of them together; ``None`` without any."""
        return round(self.bytes / self.series, 1) if self.series else None


def parse_store(facts: Mapping[str, bytes]) -> StoreUsage:
    """Read the hash that the aggregator keeps."""
    steps = sorted({int(name.partition(":")[2]) for name in facts if ":" in name})
    return StoreUsage(
        tuple(
            StepUsage(step_ms, *(int(facts.get(f"{figure}:{step_ms}", b"0")) for figure in _FIGURES))
            for step_ms in steps
        ),
        int(facts.get("bound_bytes", b"0")),
    )


def read_service_usage(connection: Connection, keys: ShardKeys) -> list[ServiceUsage]:
    """Return what each service takes at each step, the largest first. Linear in the number of blocks.

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
