"""The producer's settings, checked when it is made, because a wrong one is found best at the host's start."""

from dataclasses import dataclass, field
from typing import Final

from barograph_core.keys import ShardKeys, is_service_name
from barograph_core.stream import Connection

DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """What ``Producer`` was given.

    Attributes:
        service: The name the API gives itself.
        url: Where the server is. May hold a password, hence not in the repr.
        prefix: Of every key.
        max_events: Most raw events of one kind that wait; each request allocates about 75 bytes (90
            resident). Beyond it the newest are dropped and counted: what led into an overload is kept.
        max_backlog_bytes: Most bytes of packed batches that wait while the server is away, at less than 10 a request;
            beyond it events stay raw, up to ``max_events``.
        ship_every_ms: How often what was recorded is shipped.
        wake_slow_ms: A request that took at least so long is shipped at once, as is an error.
        max_label_sets: Label sets (series) of this process; new ones beyond become ``__other__``.
        keep_sent_ms: How long confirmed batches are kept, to be sent again after a failover.
        keep_sent_bytes: Most bytes of those.
        socket_timeout_s: Bound on connecting and on each reply.
        exit_timeout_s: Bound on the flush at the interpreter's exit.
        sample_process: Whether to report the process and, if elected, the host, each ``sample_every_ms``.
        sample_every_ms: Between two samples.
    """

    service: str
    url: str = field(default=DEFAULT_URL, repr=False)
    prefix: str = "baro"
    max_events: int = 100_000
    max_backlog_bytes: int = 16 * 1_048_576
    ship_every_ms: float = 250
    wake_slow_ms: float = 1_000
    max_label_sets: int = 1_000
    keep_sent_ms: float = 10_000
    keep_sent_bytes: int = 4 * 1_048_576
    socket_timeout_s: float = 2.0
    exit_timeout_s: float = 2.0
    sample_process: bool = True
    sample_every_ms: float = 5_000

    def __post_init__(self) -> None:
        if not is_service_name(self.service):
            raise ValueError(f"service {self.service!r} is not 1 to 64 of A-Z a-z 0-9 . _ -")
        ShardKeys(self.prefix)
        try:
            Connection.open(self.url).close()
        except ValueError:
            # Not chained: the library's own message quotes parts of the URL, and there may be a password.
            raise ValueError(
                "url cannot be read; it is like redis://host:6379/0, rediss://, unix://, "
                "redis+sentinel://host:26379/master or redis+cluster://host:6379"
            ) from None
        for name, lowest in _LOWEST.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= lowest:
                raise ValueError(f"{name} is {value!r}, must be a number of at least {lowest!r}")


_LOWEST: Final = {
    "max_events": 1,
    "max_backlog_bytes": 1,
    "ship_every_ms": 1,
    "wake_slow_ms": 0,
    "max_label_sets": 1,
    "keep_sent_ms": 0,
    "keep_sent_bytes": 0,
    "socket_timeout_s": 0.01,
    "exit_timeout_s": 0,
    "sample_every_ms": 100,
}
