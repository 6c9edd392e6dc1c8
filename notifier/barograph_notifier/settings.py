"""Settings of the notifier: section ``[notifier]``, variables ``BAROGRAPH_NOTIFIER_…``."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifierSettings:
    """How the notifier sends; every channel may set its own ``timeout``."""

    timeout_ms: int = field(
        default=10_000,
        metadata={"minimum": 100, "maximum": 120_000, "help": "bound on one attempt to send"},
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

    def __post_init__(self) -> None:
        if self.retry_first_ms > self.retry_cap_ms:
            raise ValueError(f"retry_first_ms {self.retry_first_ms} is greater than retry_cap_ms {self.retry_cap_ms}")
