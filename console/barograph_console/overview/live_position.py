"""Where the live stream of a service stands: an overview carries it, so that a page applies only newer ticks."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LivePosition:
    """Position in the live stream of one service.

    Attributes:
        epoch: Random name of the console's process; empty where no live stream is served.
        seq: Number of the last message of this service; it counts up by one within an epoch.
    """

    epoch: str
    seq: int


class LivePositions(Protocol):
    """Knows the live position of every service. Called from several threads at once."""

    def position(self, service: str) -> LivePosition: ...


class NoLiveStream:
    """Stands in where no live stream is served."""

    def position(self, service: str) -> LivePosition:
        del service  # the same for all
        return LivePosition("", 0)
