"""Finds out on which shard a service lives."""

from dataclasses import dataclass

from barograph_core import layout
from barograph_core.keys import ShardKeys


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a service's events go.

    Attributes:
        epoch: Counts changes of the layout; the append function refuses any other.
        keys: Of the service's shard.
    """

    epoch: int
    keys: ShardKeys


def read_layout(server: layout.Commands, prefix: str, service: str) -> Layout:
    """Read where ``service`` lives.

    Raises:
        BarographError: The server is gone, or what it holds cannot be a layout.
    """
    whole = layout.read_layout(server, prefix)
    return Layout(whole.epoch, whole.keys_of(service))
