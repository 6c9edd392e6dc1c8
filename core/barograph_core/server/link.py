"""What is sent to a server and what it replies, and the port that a connection sends through.

Nothing here loads the client library: what only names these types, such as a trial of rules, starts without it.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

Value: TypeAlias = bytes | str | int | float
# All types of replies: we use RESP2 and switch redis-py's callbacks off.
Reply: TypeAlias = bytes | int | list["Reply"] | None


class Link(Protocol):
    """Sends commands unchanged. Repeats one only when the server has replied that it did not execute it.

    Raises redis-py's errors: ``RedisError``, ``RedisClusterException`` and ``OSError``.
    """

    def send(self, args: Sequence[Value]) -> Reply: ...

    def send_all(self, commands: Sequence[Sequence[Value]]) -> list[Reply | Exception]:
        """Send commands in one round trip to each server concerned; an error reply takes the place of its reply."""
        ...

    def masters(self) -> Sequence["Link"]:
        """Return a link to each server that takes writes."""
        ...

    def close(self) -> None: ...
