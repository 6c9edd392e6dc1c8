"""Settings of the notifier: section ``[notifier]``, variables ``BAROGRAPH_NOTIFIER_…``."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile
from barograph_notifier.channels.plugin import look_at_plugin
from barograph_notifier.channels.reading import parse_channels
from barograph_notifier.escalation.reading import parse_escalations
from barograph_notifier.heartbeats.heartbeat import parse_heartbeats
from barograph_notifier.muting.reading import parse_inhibitions
from barograph_notifier.routing.reading import parse_routes
from barograph_notifier.wording.words import link


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSettings:
    """Settings of sending; every channel may have its own ``timeout``."""

    timeout_ms: int = field(
        default=10_000,
        metadata={"minimum": 100, "maximum": 120_000, "help": "limit of one attempt to send"},
    )
    retry_first_ms: int = field(
        default=1_000, metadata={"minimum": 10, "maximum": 600_000, "help": "wait after the first failure"}
    )
    retry_cap_ms: int = field(
        default=300_000, metadata={"minimum": 10, "maximum": 86_400_000, "help": "longest wait between attempts"}
    )
    retry_for_ms: int = field(
        default=86_400_000,
        metadata={"minimum": 0, "help": "age at which a notification that keeps failing is dead-lettered"},
    )
    poll_ms: int = field(
        default=500,
        metadata={"minimum": 10, "maximum": 60_000, "help": "how often the outbox is looked at unasked"},
    )
    keep_ms: int = field(
        default=7_776_000_000,
        metadata={"minimum": 60_000, "help": "how long deliveries and dead letters are kept"},
    )
    remember_ms: int = field(
        default=86_400_000,
        metadata={"minimum": 60_000, "help": "how long a finished alert is remembered to spot stragglers"},
    )
    console_url: str = field(
        default="", metadata={"help": "address of the console as people reach it, for links in notifications"}
    )

    def __post_init__(self) -> None:
        if self.console_url and not link(self.console_url):
            raise ValueError(f"console_url {self.console_url!r} is not a URL that begins with http:// or https://")
        if self.retry_first_ms > self.retry_cap_ms:
            raise ValueError(f"retry_first_ms {self.retry_first_ms} is greater than retry_cap_ms {self.retry_cap_ms}")


def check(config: ConfigFile, environ: Mapping[str, str]) -> list[Problem]:
    """Return every mistake in channels, routes and inhibitions, for ``barograph check``; runs nothing named there."""
    problems: list[Problem] = []
    parse_channels(config, environ, problems, make_plugin=look_at_plugin)
    parse_routes(config, problems)
    parse_inhibitions(config, problems)
    parse_escalations(config, problems)
    parse_heartbeats(config, environ, problems)
    return problems
