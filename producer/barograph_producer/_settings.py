"""The producer's settings, checked when the producer is made, so that mistakes show when the host starts."""

from dataclasses import dataclass, field
from typing import Final

from barograph_core.events.kinds import is_service_name
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection

DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSettings:
    """The arguments of ``Producer``.

    Attributes:
        service: The name of the API.
        url: The address of the server. It may contain a password, so the repr leaves it out.
        prefix: The beginning of every key.
        max_events: Most raw events of one kind that wait; each request allocates about 75 bytes (90 resident). The
            newest beyond it are dropped and counted, so that the events that led to an overload are kept.
        max_backlog_bytes: Most bytes of packed batches that wait while the server is away, less than 10 a request.
            Events beyond it stay raw, up to ``max_events``.
        ship_every_ms: How often recorded events are shipped.
        wake_slow_ms: A request that takes at least this long is shipped at once, like an error.
        max_label_sets: Most label sets (series) of this process; further ones become ``__other__``.
        keep_sent_ms: How long confirmed batches are kept, to be sent again after a failover.
        keep_sent_bytes: Most bytes of confirmed batches that are kept.
        socket_timeout_s: Limit for connecting and for each reply.
        exit_timeout_s: Limit for the flush at the interpreter's exit.
        sample_process: Whether to record figures of the process and, if elected, of the host.
        sample_every_ms: Time between two samples.
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
            # Do not chain: the library's message quotes parts of the URL, which may contain a password.
            raise ValueError(
                "url cannot be read; it is like redis://host:6379/0, rediss://, unix://, "
                "redis+sentinel://host:26379/master or redis+cluster://host:6379"
            ) from None
        for name, lowest in _LOWEST.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= lowest:
                raise ValueError(f"{name} is {value!r}, must be a number of at least {lowest!r}")


# Smallest valid value of each number.
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
