"""One error tree for every stage, so that each failure has one owner and one fate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class BarographError(Exception):
    """Every error of ours. Callers outside may catch this one class."""


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

    Raised by decoders; the consumer loop moves the entry, fields and all, to the dead-letter stream and
    acknowledges it there and then, so that one bad entry never holds the watermark.
    """

    def __init__(self, reason: str, fields: Mapping[bytes, bytes] | None = None) -> None:
        self.reason = reason
        self.fields = dict(fields or {})
        super().__init__(reason)


class EmptySketchError(BarographError):
    """A quantile was asked of a sketch that holds nothing. The caller shows "no data"."""


class PanesDroppedError(BarographError):
    """A window reaches back to panes that were dropped to make room: what is left of it would be judged as the whole.

    Raised by the alerter's windows; that rule is not judged, so that nothing fires or resolves for want of panes.
    """

    def __init__(self, step_ms: int, kept_from_ms: int) -> None:
        self.step_ms = step_ms
        self.kept_from_ms = kept_from_ms
        super().__init__(
            f"panes of {step_ms} ms from before {kept_from_ms} were dropped to keep the store within its memory: "
            "raise [aggregator] store_memory_bytes"
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
    """The stream or its consumer group does not exist (any more). The consumer loop makes it anew."""


class NotificationError(BarographError):
    """A notification could not be sent."""


class ChannelRefusedError(NotificationError):
    """The channel will never take this notification (4xx). It goes to the dead-letter stream."""


class ChannelUnavailableError(NotificationError):
    """The channel failed for now (5xx, timeout). It is tried again, up to the channel's limit.

    Attributes:
        after_ms: How long the channel asked us to wait (``Retry-After``), or ``None``.
    """

    def __init__(self, reason: str, after_ms: int | None = None) -> None:
        self.after_ms = after_ms
        super().__init__(reason)


class CommandRefusedError(BarographError):
    """The server answered a command with an error that waiting will not mend (WRONGTYPE, a wrong argument).

    A fault in barograph or foreign data under our keys. Loops log it and wait as if the server were gone.
    """
