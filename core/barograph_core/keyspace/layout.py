"""The layout: the shards there are, and the shard on which each service lives. Stored in ``<prefix>:meta``."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from barograph_core.clock import Clock
from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import SELF_SERVICE, ShardKeys, meta_key, shard_of, shard_tag
from barograph_core.server.link import Reply, Value

PIN: Final = "pin:"
_READ_EVERY_MS: Final = 1_000
_NAMES_TRIED: Final = 10_000


class Commands(Protocol):
    """The part of ``barograph_core.server.connection.Connection`` that reading a layout needs."""

    def command(self, *args: Value) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """The shards, and which of them holds the keys of a service.

    Attributes:
        epoch: Number of changes. The append function refuses batches of any epoch but its shard's.
        tags: Tags of the shards over which services are spread by their names, in this order.
        extra: Tags of further shards with workers: they hold services, or their history, from before a change.
        pins: Tags of services that do not live on the shard of their name.
    """

    prefix: str
    epoch: int = 0
    tags: tuple[str, ...] = ("0",)
    extra: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def shards(self) -> list[ShardKeys]:
        """Return the keys of every shard that workers serve."""
        return [ShardKeys(self.prefix, tag) for tag in (*self.tags, *self.extra)]

    def tag_of(self, service: str) -> str:
        """Return the tag of the shard on which ``service`` lives."""
        return self.pins.get(service) or self.tags[shard_of(service, len(self.tags))]

    def keys_of(self, service: str) -> ShardKeys:
        """Return the keys of the shard on which ``service`` lives."""
        return ShardKeys(self.prefix, self.tag_of(service))


def spread_tags(shards: int) -> tuple[str, ...]:
    """Return the tags of ``shards`` shards that are empty at first."""
    return tuple(shard_tag(index, shards) for index in range(shards))


def self_service(layout: Layout, tag: str) -> str:
    """Return the name of the service that reports on shard ``tag``: the first such name that belongs to the shard."""
    names = [SELF_SERVICE, *(f"{SELF_SERVICE}.{number}" for number in range(1, _NAMES_TRIED))]
    # On a shard with only pinned services none of these names may belong to it. Its own alerters find any name.
    return next((name for name in names if layout.tag_of(name) == tag), f"{SELF_SERVICE}.shard-{tag}")


def read_layout(server: Commands, prefix: str) -> Layout:
    """Read the layout. Where none is written, it is one shard in epoch 0.

    Raises:
        BarographError: The server is gone, or the hash does not hold a layout.
    """
    reply = server.command("HGETALL", meta_key(prefix))
    flat = reply if isinstance(reply, list) else []
    texts = [item.decode(errors="replace") if isinstance(item, bytes) else "" for item in flat]
    fields = dict(zip(texts[::2], texts[1::2], strict=False))
    epoch, tags = fields.get("epoch", "0"), _split(fields.get("tags", "0"))
    extra = _split(fields.get("extra", ""))
    pins = {name.removeprefix(PIN): tag for name, tag in fields.items() if name.startswith(PIN)}
    strays = [service for service, tag in pins.items() if tag not in tags and tag not in extra]
    if not epoch.isdecimal() or not tags or strays:
        # Guessing a shard would split a service between two.
        what = f"{strays[0]!r} is pinned to a shard that is not served" if strays else f"{epoch!r}, {tags!r}"
        raise StreamUnavailableError("refused", f"{meta_key(prefix)} holds no layout: {what}")
    return Layout(prefix, int(epoch), tags, extra, pins)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


class LayoutView:
    """The layout, read at most once a second for all threads together."""

    def __init__(self, prefix: str, clock: Clock) -> None:
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Layout | None = None
        self._read_ms = float("-inf")

    def current(self, server: Commands) -> Layout:
        """Return the layout, read through ``server`` when it is due.

        Raises:
            BarographError: One of the errors of ``read_layout``.
        """
        with self._lock:
            if self._held is not None and self._clock.monotonic_ms() - self._read_ms < _READ_EVERY_MS:
                return self._held
        layout = read_layout(server, self._prefix)
        with self._lock:
            self._held, self._read_ms = layout, self._clock.monotonic_ms()
        return layout
