"""The section ``[aggregator]``."""

from dataclasses import dataclass, field

from barograph_core.store import DEFAULT_KEEP, Step, parse_keep


def _check_keep(value: object) -> str:
    try:
        parse_keep(str(value))
    except ValueError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorSettings:
    """How events become panes."""

    keep: str = field(
        default=DEFAULT_KEEP,
        metadata={"help": "steps and how long their panes are kept, fine to coarse", "check": _check_keep},
    )
    grace_ms: int = field(
        default=500, metadata={"minimum": 0, "help": "how long after its end a pane waits for stragglers"}
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
        default=300_000,
        metadata={"minimum": 1_000, "help": "a silent producer counts as missing for so long, then as gone"},
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
        default=1_000, metadata={"minimum": 1, "help": "series of a service kept apart; the rest is __other__"}
    )
    keep_events_ms: int = field(
        default=3_600_000, metadata={"minimum": 60_000, "help": "how long processed events stay on the stream"}
    )
    keep_metrics_ms: int = field(
        default=3_600_000, metadata={"minimum": 60_000, "help": "how long entries stay on the metrics stream"}
    )

    def __post_init__(self) -> None:
        parse_keep(self.keep, self.allowed_lateness_ms)

    @property
    def steps(self) -> tuple[Step, ...]:
        return parse_keep(self.keep, self.allowed_lateness_ms)

    @property
    def base_step_ms(self) -> int:
        return self.steps[0].step_ms
