"""What a server does when its memory is full: refuse writes, as barograph needs it, or drop keys."""

from dataclasses import dataclass
from typing import Final

from barograph_core.errors import BarographError, CommandRefusedError, StreamUnavailableError
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_text

_REFUSES: Final = "noeviction"


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """The memory of one server.

    Attributes:
        policy: ``maxmemory-policy``.
        bound_bytes: ``maxmemory``, 0 for none.
        used_bytes: ``used_memory``.
    """

    policy: str
    bound_bytes: int
    used_bytes: int

    @property
    def fullness_ratio(self) -> float:
        """Return the part of the bound that is used, 0 without a bound."""
        return self.used_bytes / self.bound_bytes if self.bound_bytes else 0.0

    @property
    def can_evict(self) -> bool:
        """Say whether the server drops keys when it is full.

        Closed panes, sequences of producers and cooldowns expire, so that even ``volatile-*`` policies drop them:
        figures lack events, or alerts repeat, and nothing counts what was lost.
        """
        return self.policy != _REFUSES and self.bound_bytes > 0


def read_memory(connection: Connection) -> ServerMemory | None:
    """Return the memory of the server; of several masters the one that can evict, else the one that is fullest.

    Returns:
        ``None`` where the server does not say: this user may not ask, or it does not know the command.

    Raises:
        BarographError: The server is gone.
    """
    found = [memory for master in connection.masters() if (memory := _memory_of(master)) is not None]
    return max(found, key=lambda memory: (memory.can_evict, memory.fullness_ratio), default=None)


def _memory_of(master: Connection) -> ServerMemory | None:
    try:
        text = as_text(master.command("INFO", "memory"))
    except BarographError as error:
        is_silent = isinstance(error, CommandRefusedError)
        if is_silent or (isinstance(error, StreamUnavailableError) and error.reason == "refused"):
            return None
        raise
    facts = {name: value for name, _, value in (line.partition(":") for line in text.splitlines())}
    if "maxmemory_policy" not in facts:
        return None
    return ServerMemory(facts["maxmemory_policy"], int(facts.get("maxmemory", 0)), int(facts.get("used_memory", 0)))
