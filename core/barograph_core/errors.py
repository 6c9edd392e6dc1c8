"""One error tree for every stage: each class says who raises it, who catches it and what becomes of the entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class BarographError(Exception):
    """The base of all our errors. Callers outside may catch this one class."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the settings.

    Attributes:
        where: File and line (``barograph.toml:12``), a variable (``BAROGRAPH_URL``) or a flag (``--url``).
        key: The key that is wrong, with its table: ``rule[2].when``.
        message: What is wrong and how to mend it.
    """

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.message}"


class SettingsError(BarographError):
    """Settings are wrong. Raised at start with every problem at once; ``main`` prints them and exits 2."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class MalformedEventError(BarographError):
    """An entry can never be read.

    Decoders raise it. The consumer loop moves the entry with all its fields to the dead-letter stream and
    acknowledges it at once, so that one bad entry never holds the watermark.
    """

    def __init__(self, reason: str, fields: Mapping[bytes, bytes] | None = None) -> None:
        self.reason = reason
        self.fields = dict(fields or {})
        super().__init__(reason)


class EmptySketchError(BarographError):
    """An empty sketch was asked for a quantile. The caller shows "no data"."""


class WindowNotWholeError(BarographError):
    """No step of the store holds a window whole; what is there is not the whole window.

    The alerter's windows raise it. That rule is not judged, so that lacking panes make nothing fire or resolve.
    """

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self.from_ms = from_ms
        self.to_ms = to_ms
        super().__init__(
            f"no step holds all panes from {from_ms} to {to_ms}: some have expired ([server] keep), were dropped to "
            "free memory ([aggregator] store_memory_bytes), or their roll-up is still to be made"
        )


class StreamUnavailableError(BarographError):
    """The server is gone, loading, read-only or refuses. Loops wait with jittered backoff; entries stay pending.

    Attributes:
        reason: ``unreachable``, ``timeout``, ``loading``, ``read_only``, ``out_of_memory``, ``no_library``,
            ``authentication`` or ``refused``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class NoGroupError(BarographError):
    """The stream or its consumer group does not exist (any more). The consumer loop creates it again."""


class NotificationError(BarographError):
    """A notification could not be sent."""


class ChannelRefusedError(NotificationError):
    """The channel will never take this notification (4xx). It goes to the dead-letter stream."""


class ChannelUnavailableError(NotificationError):
    """The channel failed for now (5xx, timeout). It is tried again, up to the channel's limit.

    Attributes:
        after_ms: How long the channel asked us to wait (``Retry-After``), or ``None``.
        may_have_arrived: Whether the notification may have arrived all the same: it went out, and no answer came.
    """

    def __init__(self, reason: str, after_ms: int | None = None, *, may_have_arrived: bool = False) -> None:
        self.after_ms = after_ms
        self.may_have_arrived = may_have_arrived
        super().__init__(reason)


class CommandRefusedError(BarographError):
    """The server refused a command with an error that waiting does not resolve (WRONGTYPE, a wrong argument).

    The cause is a fault in barograph or foreign data under our keys. Loops log it and wait as if the server were gone.
    """
