"""The section ``[aggregator]``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barograph_core.errors import Problem, SettingsError
from barograph_core.pipeline.status import NO_DATA_MS
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings
from barograph_core.settings.server import ServerSettings
from barograph_core.steps import Step, parse_keep


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorSettings:
    """How events become panes."""

    grace_ms: int = field(
        default=500,
        metadata={"minimum": 0, "help": "how long after its end a pane waits for producers that have not reported"},
    )
    allowed_lateness_ms: int = field(
        default=600_000,
        metadata={"minimum": 0, "help": "events older than this when they arrive are dropped and counted"},
    )
    max_future_ms: int = field(
        default=600_000,
        metadata={"minimum": 0, "help": "events further ahead of their arrival are dropped and counted"},
    )
    no_data_ms: int = field(
        default=NO_DATA_MS,
        metadata={"minimum": 1_000, "help": "a silent producer counts as missing for so long, then as gone"},
    )
    retire_after_ms: int = field(
        default=7_776_000_000,
        metadata={"minimum": 60_000, "help": "a service without events, producers and alerts for so long is forgotten"},
    )
    claim_idle_ms: int = field(
        default=2_000, metadata={"minimum": 100, "help": "entries pending for longer are taken over"}
    )
    tick_ms: int = field(
        default=50, metadata={"minimum": 1, "maximum": 2_000, "help": "time between two looks at the watermark"}
    )
    commit_entries: int = field(
        default=1_000, metadata={"minimum": 1, "maximum": 1_000, "help": "most entries of one commit"}
    )
    series_cap: int = field(
        default=1_000,
        # A roll-up may hold twice as many, because places are reassigned; a stored pane holds 100,000 series.
        metadata={"minimum": 1, "maximum": 40_000, "help": "series of a service kept apart; the rest is folded"},
    )
    service_cap: int = field(
        default=2_000,
        metadata={"minimum": 1, "maximum": 100_000, "help": "services of a shard; events of further ones do not count"},
    )
    keep_events_ms: int = field(
        default=3_600_000, metadata={"minimum": 60_000, "help": "how long processed events stay on the stream"}
    )
    keep_events_bytes: int = field(
        default=1_000_000_000,
        metadata={
            "minimum": 0,
            "help": "most memory of a shard's events stream; beyond, the oldest go, unread ones too, counted; 0: any",
        },
    )
    store_memory_bytes: int = field(
        default=4_000_000_000,
        metadata={
            "minimum": 0,
            "help": "most memory of a shard's closed panes; beyond, the oldest of the finest step go, counted; 0: any",
        },
    )
    self_panes: bool = field(
        default=True,
        metadata={"help": "whether to write lag, losses and the like as a service barograph, for rules to watch"},
    )
    keep_metrics_ms: int = field(
        default=3_600_000, metadata={"minimum": 60_000, "help": "how long entries stay on the metrics stream"}
    )


def steps_to_close(server: ServerSettings, settings: AggregatorSettings, config: ConfigFile) -> tuple[Step, ...]:
    """Return the steps of ``keep``, which must keep the coarsest for as long as late events may come.

    Raises:
        SettingsError: It does not.
    """
    try:
        return parse_keep(server.keep, settings.allowed_lateness_ms)
    except ValueError as error:
        raise SettingsError([Problem(config.where("server", "keep"), "server.keep", str(error))]) from error


def check(config: ConfigFile, environ: Mapping[str, str]) -> list[Problem]:
    """Return problems between settings that are valid by themselves but refuse the start, for ``barograph check``."""
    try:
        server = build_settings(ServerSettings, "server", {}, environ, config)
        steps_to_close(server, build_settings(AggregatorSettings, "aggregator", {}, environ, config), config)
    except SettingsError as error:
        return list(error.problems)
    return []
