"""What a replay is to do: kept with the new prefix, so that one that was killed goes on with the same."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.log_reader import read_extent
from barograph_cli.history.new_prefix import Job
from barograph_cli.history.range_arguments import Range
from barograph_cli.history.stretch import Stretch, stretch_of
from barograph_core.keys import ShardKeys
from barograph_core.settings import ServerSettings, hide_password
from barograph_core.steps import Step
from barograph_core.stream import Connection, EntryId


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A range, and what of each shard's log it comes to.

    Attributes:
        identity: Where from, and the settings that decide the outcome: the same in whoever goes on.
        stretches: By the hash tag of the shard.
    """

    identity: Mapping[str, object]
    services: tuple[str, ...]
    stretches: Mapping[str, Stretch]

    @classmethod
    def plan(
        cls,
        source: Connection,
        shards: Sequence[ShardKeys],
        identity: Mapping[str, object],
        wanted: Range,
        now_ms: int,
        settings: AggregatorSettings,
        steps: Sequence[Step],
    ) -> "ReplayJob":
        """Return what ``wanted`` comes to, with the logs as they are."""
        stretches = {
            keys.tag: stretch_of(
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
        return cls(identity, wanted.services, stretches)

    def as_document(self) -> Job:
        """Return the job as plain values."""
        stretches = {
            tag: {**asdict(stretch), "read_from": str(stretch.read_from), "read_to": str(stretch.read_to)}
            for tag, stretch in self.stretches.items()
        }
        return {"identity": dict(self.identity), "services": list(self.services), "stretches": stretches}

    @classmethod
    def begun(cls, document: Job, identity: Mapping[str, object], prefix: str) -> "ReplayJob":
        """Return the job that was kept with ``prefix``.

        Raises:
            CommandError: It was begun with other settings, or from elsewhere.
        """
        kept = cast("dict[str, object]", document["identity"])
        other = [name for name, value in identity.items() if kept.get(name) != value]
        if other:
            name = other[0]
            raise CommandError(
                f"the replay into prefix {prefix!r} was begun with {name} {kept.get(name)!r}, not {identity[name]!r}",
                USAGE,
            )
        stretches = cast("dict[str, dict[str, object]]", document["stretches"])
        services = tuple(cast("list[str]", document["services"]))
        return cls(kept, services, {tag: _stretch(values) for tag, values in stretches.items()})


def identity_of(server: ServerSettings, settings: AggregatorSettings) -> dict[str, object]:
    """Return what must be the same when a replay goes on: the source, and what decides late, kept and closed."""
    return {
        "url": hide_password(server.url),
        "prefix": server.prefix,
        "keep": server.keep,
        "allowed_lateness_ms": settings.allowed_lateness_ms,
        "max_future_ms": settings.max_future_ms,
        "series_cap": settings.series_cap,
    }


def _stretch(values: Mapping[str, object]) -> Stretch:
    ids = {name: EntryId.parse(cast("str", values[name])) for name in ("read_from", "read_to")}
    return Stretch(**{**values, **ids})  # type: ignore[arg-type]  # as as_document wrote it
