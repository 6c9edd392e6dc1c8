"""The job of a replay. It is stored in the new prefix, so that a killed replay can be resumed with the same job."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.log.complete_range import CompleteRange, complete_range_of
from barograph_cli.history.log.range_arguments import TimeRange
from barograph_cli.history.log.reader import read_extent
from barograph_cli.history.rebuild.new_prefix import Job
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId
from barograph_core.settings.secrets import hide_password
from barograph_core.settings.server import ServerSettings
from barograph_core.steps import Step


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """The part of each shard's log to replay.

    Attributes:
        identity: The source and the settings that decide the outcome. A resumed replay must have the same.
        services: Services to replay; empty for all.
        ranges: By the hash tag of the shard.
    """

    identity: Mapping[str, object]
    services: tuple[str, ...]
    ranges: Mapping[str, CompleteRange]

    @classmethod
    def plan(
        cls,
        source: Connection,
        shards: Sequence[ShardKeys],
        identity: Mapping[str, object],
        wanted: TimeRange,
        now_ms: int,
        settings: AggregatorSettings,
        steps: Sequence[Step],
    ) -> "ReplayJob":
        """Return the job of ``wanted``, with the logs as they are now."""
        ranges = {
            keys.tag: complete_range_of(
                read_extent(source, keys.events),
                from_ms=wanted.from_ms,
                to_ms=wanted.to_ms,
                now_ms=now_ms,
                base_step_ms=steps[0].step_ms,
                allowed_lateness_ms=settings.allowed_lateness_ms,
                max_future_ms=settings.max_future_ms,
            )
            for keys in shards
        }
        return cls(identity, wanted.services, ranges)

    def as_document(self) -> Job:
        """Return the job as plain values."""
        ranges = {
            tag: {**asdict(complete), "read_from": str(complete.read_from), "read_to": str(complete.read_to)}
            for tag, complete in self.ranges.items()
        }
        return {"identity": dict(self.identity), "services": list(self.services), "stretches": ranges}

    @classmethod
    def begun(cls, document: Job, identity: Mapping[str, object], prefix: str) -> "ReplayJob":
        """Return the job that is stored in ``prefix``.

        Raises:
            CommandError: It was started with other settings, or from another source.
        """
        kept = cast("dict[str, object]", document["identity"])
        other = [name for name, value in identity.items() if kept.get(name) != value]
        if other:
            name = other[0]
            raise CommandError(
                f"the replay into prefix {prefix!r} was begun with {name} {kept.get(name)!r}, not {identity[name]!r}",
                USAGE,
            )
        ranges = cast("dict[str, dict[str, object]]", document["stretches"])
        services = tuple(cast("list[str]", document["services"]))
        return cls(kept, services, {tag: _complete_range(values) for tag, values in ranges.items()})


def identity_of(server: ServerSettings, settings: AggregatorSettings) -> dict[str, object]:
    """Return what must be the same in a resumed replay: the source, and the settings for lateness, series and steps."""
    return {
        "url": hide_password(server.url),
        "prefix": server.prefix,
        "keep": server.keep,
        "allowed_lateness_ms": settings.allowed_lateness_ms,
        "max_future_ms": settings.max_future_ms,
        "series_cap": settings.series_cap,
    }


def _complete_range(values: Mapping[str, object]) -> CompleteRange:
    ids = {name: EntryId.parse(cast("str", values[name])) for name in ("read_from", "read_to")}
    return CompleteRange(**{**values, **ids})  # type: ignore[arg-type]  # as as_document wrote it
