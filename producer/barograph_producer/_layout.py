"""Finds out on which shard a service lives."""

from dataclasses import dataclass
from typing import Protocol

from barograph_core.errors import StreamUnavailableError
from barograph_core.keys import ShardKeys, meta_key, shard_of, shard_tag
from barograph_core.stream import Reply, Value


class Commands(Protocol):
    """What the layout is read through."""

    def command(self, *args: Value) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a service's events go.

    Attributes:
        epoch: Counts changes of the layout; the append function refuses any other.
        keys: Of the service's shard.
    """

    epoch: int
    keys: ShardKeys


def read_layout(server: Commands, prefix: str, service: str) -> Layout:
    """Read ``<prefix>:meta``. Without it there is one shard, in epoch 0.

    Raises:
        BarographError: The server is gone, or the hash holds what cannot be a layout.
    """
    reply = server.command("HMGET", meta_key(prefix), "shards", "epoch", f"pin:{service}")
    fields = reply if isinstance(reply, list) else [None, None, None]
    shards, epoch, pin = (_whole(field) for field in fields)
    if shards is None:
        shards = 1
    index = shard_of(service, shards) if pin is None else pin
    if not 0 <= index < shards:
        # Guessing a shard would split the service between two.
        raise StreamUnavailableError("refused", f"{service!r} is pinned to shard {index!r} of {shards!r}")
    return Layout(epoch or 0, ShardKeys(prefix, shard_tag(index, shards)))


def _whole(field: Reply) -> int | None:
    if field is None:
        return None
    try:
        return int(field)  # type: ignore[arg-type]  # raises TypeError for an array
    except (TypeError, ValueError) as error:
        raise StreamUnavailableError("refused", f"the layout holds {field!r}, not a number") from error
