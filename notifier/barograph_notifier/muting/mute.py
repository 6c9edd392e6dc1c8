"""What holds a firing back, and what the plan of a queue asks about it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from barograph_core.alerts.transition import Transition


@dataclass(frozen=True, slots=True)
class Mute:
    """Why a firing is not sent now.

    Attributes:
        reason: For the deliveries stream: ``silenced <id>``, ``inhibited <alert>``, ``acknowledged``.
        until_ms: Wall time at which to look again, if nothing lets it go before; ``None``: it is not sent at all.
    """

    reason: str
    until_ms: int | None


MuteOf: TypeAlias = Callable[[Transition], Mute | None]


def mute_nothing(_: Transition) -> Mute | None:
    """Hold nothing back."""
    return None
