"""Which shards there are, and on which of them a service lives: ``<prefix>:meta``."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from barograph_core.clock import Clock
from barograph_core.errors import StreamUnavailableError
from barograph_core.keys import ShardKeys, meta_key, shard_of, shard_tag
from barograph_core.link import Reply, Value

PIN: Final = "pin:"
_READ_EVERY_MS: Final = 1_000


class Commands(Protocol):
    """What a layout is read through; ``barograph_core.stream.Connection`` has it."""

    def command(self, *args: Value) -> Reply: ...


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every service's keys lie.

    Attributes:
        epoch: Counts changes; the append function refuses any other than its shard's.
        tags: Shards over which services are spread by their names, in this order.
        extra: Further shards that are served: they hold services or their history from before a change.
        pins: Services that live elsewhere than their names say, with the shard's tag.
    """

    prefix: str
    epoch: int = 0
    tags: tuple[str, ...] = ("0",)
    extra: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def shards(self) -> list[ShardKeys]:
        """Return the keys of every shard that is served."""
        return [ShardKeys(self.prefix, tag) for tag in (*self.tags, *self.extra)]

    def tag_of(self, service: str) -> str:
        """Return the tag of the shard on which ``service`` lives."""
        return self.pins.get(service) or self.tags[shard_of(service, len(self.tags))]

    def keys_of(self, service: str) -> ShardKeys:
        """Return the keys of the shard on which ``service`` lives."""
        return ShardKeys(self.prefix, self.tag_of(service))


def spread_tags(shards: int) -> tuple[str, ...]:
    """Return the tags of ``shards`` shards that begin empty."""
    return tuple(shard_tag(index, shards) for index in range(shards))


def read_layout(server: Commands, prefix: str) -> Layout:
    """Read the layout. Where none is written there is one shard, in epoch 0.

    Raises:
        BarographError: The server is gone, or the hash holds what cannot be a layout.
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
    """The layout as of the last second, for many threads: one small read a second serves all their questions."""

    def __init__(self, prefix: str, clock: Clock) -> None:
        self._prefix = prefix
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Layout | None = None
        self._read_ms = float("-inf")

    def current(self, server: Commands) -> Layout:
        """Return the layout, read through ``server`` when it is due.

        Raises:
            BarographError: As ``read_layout``.
        """
        with self._lock:
            if self._held is not None and self._clock.monotonic_ms() - self._read_ms < _READ_EVERY_MS:
                return self._held
        layout = read_layout(server, self._prefix)
        with self._lock:
            self._held, self._read_ms = layout, self._clock.monotonic_ms()
        return layout
