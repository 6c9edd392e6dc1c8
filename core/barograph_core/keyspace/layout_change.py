"""Changes the layout of the shards under running producers and workers, without losing or splitting a service.

A service that has data stays where it is: growing pins it there. New services are spread over all shards.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from barograph_core.errors import BarographError, CommandRefusedError
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, SELF_SERVICE, ShardKeys, meta_key, shard_of, shard_tag
from barograph_core.keyspace.layout import Layout, read_layout, spread_tags
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_int, as_list, as_text
from barograph_core.server.slots import CLUSTER_SLOTS, hash_slot

# Entries read in one call. The server reads them whole and blocks meanwhile: 10 ms for entries of 60 kB.
_PAGE: Final = 100
# The pipeline's own services. A shard with no others counts as unused.
_SELF: Final = re.compile(rf"{SELF_SERVICE}(\.\d+|\.shard-.+)?")
# Longer than any change takes. After this time a change counts as aborted, and a worker ends it.
_LOCK_MS: Final = 60_000


class LayoutConflictError(BarographError):
    """The layout cannot be changed so, or another process is changing it. The caller reports why; nothing changes."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A change under way: producers wait for the layout of ``epoch``, so no service appears or moves meanwhile.

    Attributes:
        before: The layout to change.
        epoch: The epoch of the new layout.
        homes: Service -> tag of the shard that holds its data.
        used: Tags of shards that hold anything.
    """

    before: Layout
    epoch: int
    homes: Mapping[str, str]
    used: frozenset[str]

    def layout(self, tags: tuple[str, ...], pins: Mapping[str, str]) -> Layout:
        """Return the layout with these ``tags`` that leaves services with data where they are."""
        places = {service: tags[shard_of(service, len(tags))] for service in {**pins, **self.homes}}
        wanted = {service: pins.get(service, place) for service, place in places.items()} | dict(self.homes)
        kept = {service: tag for service, tag in sorted(wanted.items()) if tag != places[service]}
        served = {*self.used, *kept.values()}
        extra = tuple(tag for tag in dict.fromkeys([*self.before.tags, *self.before.extra, *kept.values()]))
        return Layout(
            self.before.prefix,
            self.epoch,
            tags,
            tuple(tag for tag in extra if tag in served and tag not in tags),
            kept,
        )


def set_shards(connection: Connection, prefix: str, shards: int) -> Layout:
    """Spread new services over ``shards`` shards from now on; those that have data stay where they are.

    Producers wait meanwhile, well under a second unless a long backlog is unread. Workers keep serving shards that are
    not among the new ones as long as these hold anything.

    Raises:
        LayoutConflictError: Another process is changing the layout.
        BarographError: The server is gone or refuses; within a minute producers continue with the old layout.
    """

    def decide(change: _Change) -> Layout:
        before = change.before
        # Keep pins to a service's own shard; other pins only recorded where data was.
        own = {service: tag for service, tag in before.pins.items() if tag not in before.tags}
        return change.layout(_grown_tags(before, change.used, shards), own)

    return _change(connection, prefix, decide, also=spread_tags(shards))


def pin_service(connection: Connection, prefix: str, service: str, tag: str | None = None) -> Layout:
    """Pin a service that has no data yet to the shard ``tag``, by default to a new one of its own.

    Raises:
        LayoutConflictError: The service has data on another shard, or the layout changes now.
        BarographError: The server is gone or refuses.
    """
    chosen = tag or _own_tag(read_layout(connection, prefix))

    def decide(change: _Change) -> Layout:
        before = change.before
        home = change.homes.get(service)
        if home not in (None, chosen):
            raise LayoutConflictError(f"{service!r} has data on shard {home!r}, which stays there")
        return change.layout(before.tags, {**before.pins, service: chosen})

    return _change(connection, prefix, decide, also=(chosen,))


def unpin_service(connection: Connection, prefix: str, service: str) -> Layout:
    """Remove the pin of a service that has no data yet: it will live on the shard of its name.

    Raises:
        LayoutConflictError: The service has data on another shard, or the layout changes now.
        BarographError: The server is gone or refuses.
    """

    def decide(change: _Change) -> Layout:
        before = change.before
        after = change.layout(before.tags, {name: tag for name, tag in before.pins.items() if name != service})
        if service in after.pins:
            raise LayoutConflictError(f"{service!r} has data on shard {after.pins[service]!r}, which stays there")
        return after

    return _change(connection, prefix, decide)


def install_layout(connection: Connection, prefix: str, shards: int) -> Layout:
    """Return the layout on the server; where none is written and one shard is not enough, write it.

    Raises:
        LayoutConflictError: Another process is writing it.
        BarographError: The server is gone or refuses.
    """
    is_written = as_int(connection.command("EXISTS", meta_key(prefix)))
    return read_layout(connection, prefix) if is_written or shards == 1 else set_shards(connection, prefix, shards)


def mend_epochs(connection: Connection, layout: Layout) -> bool:
    """Give the layout's epoch to shards that lack it, and end a change that was aborted.

    A node may have come back without its data, or a process may have died while it changed the layout. Without this,
    producers of such a shard would wait for ever.

    Returns:
        Whether all epochs agree now.

    Raises:
        BarographError: The server is gone or refuses.
    """
    held = _epochs(connection, layout.shards)
    newest = max(held)
    if newest > layout.epoch:
        if connection.command("EXISTS", _lock_key(layout.prefix)):
            return False
        mended = replace(layout, epoch=newest)
        if not _write(connection, mended, expected=layout.epoch):
            return False
        layout = mended
    behind = [keys for keys, epoch in zip(layout.shards, held, strict=True) if epoch < layout.epoch]
    _raise_epochs(connection, behind, layout.epoch)
    return True


def _change(
    connection: Connection, prefix: str, decide: Callable[[_Change], Layout], also: tuple[str, ...] = ()
) -> Layout:
    lock, token = _lock_key(prefix), secrets.token_hex(8)
    if connection.command("SET", lock, token, "NX", "PX", _LOCK_MS) is None:
        raise LayoutConflictError(f"the layout is being changed by another process; try again in {_LOCK_MS // 1_000} s")
    try:
        before = read_layout(connection, prefix)
        gates = [*before.shards, *(ShardKeys(prefix, tag) for tag in also)]
        # Higher than the epoch of a change whose lock expired: that change may still revert its own.
        epoch = max(before.epoch, *_epochs(connection, gates)) + 1
        _raise_epochs(connection, gates, epoch)
        try:
            after = decide(_Change(before, epoch, *_survey(connection, before)))
        except BarographError:
            # No layout has the new epoch, so nothing was appended in it: return to the old one.
            connection.pipeline([("FCALL", "baro_reopen_1", 1, keys.epoch, epoch, before.epoch) for keys in gates])
            raise
        # Before the layout is written: a shard must know its epoch when producers learn of the shard.
        _raise_epochs(connection, after.shards, after.epoch)
        if not _write(connection, after, expected=before.epoch):
            raise LayoutConflictError("the layout was changed by another process meanwhile; try again")
        return after
    finally:
        connection.call("baro_release_1", [lock], [token])


def _survey(connection: Connection, layout: Layout) -> tuple[Mapping[str, str], frozenset[str]]:
    """Return where each service has data, and which shards hold anything."""
    homes: dict[str, str] = {}
    used: set[str] = set()
    for keys in layout.shards:
        streams = (keys.events, keys.alerts, keys.deliveries, keys.dead)
        closed, panes, rollups, *held = connection.pipeline(
            [
                ("HKEYS", keys.closed),
                ("ZRANGE", keys.open, 0, -1),
                ("ZRANGE", keys.rollups, 0, -1),
                *(("EXISTS", key) for key in streams),
            ]
        )
        found = {*map(as_text, as_list(closed)), *_services_of(panes), *_services_of(rollups)}
        found |= _unread_services(connection, keys)
        if not any(held) and not any(_SELF.fullmatch(service) is None for service in found):
            continue
        used.add(keys.tag)
        for service in found:
            # A service with data on two shards lives where the layout says.
            if service not in homes or layout.tag_of(service) == keys.tag:
                homes[service] = keys.tag
    return homes, frozenset(used)


def _services_of(members: Reply) -> set[str]:
    return {as_text(member).partition(":")[0] for member in as_list(members)}


def _unread_services(connection: Connection, keys: ShardKeys) -> set[str]:
    found: set[str] = set()
    after = ""
    while True:
        reply = connection.call("baro_services_1", [keys.events], [AGGREGATOR_GROUP, after, _PAGE], read_only=True)
        after, *services = map(as_text, as_list(reply))
        found.update(services)
        if not after:
            return found


def _grown_tags(before: Layout, used: frozenset[str], shards: int) -> tuple[str, ...]:
    """Return a tag for each equal share of the slots: one that is already used there, or a new one."""
    share = CLUSTER_SLOTS / shards
    held = [tag for tag in before.tags if tag in used]
    tags: list[str] = []
    for index in range(shards):
        inside = [tag for tag in held if int(hash_slot(tag) / share) == index]
        tags.append(inside[0] if inside else shard_tag(index, shards))
    return tuple(tags)


def _own_tag(layout: Layout) -> str:
    """Return the first number whose slot lies in the middle of the widest gap between the shards' slots."""
    slots = sorted(hash_slot(keys.tag) for keys in layout.shards)
    gaps = [
        (after - before, before) for before, after in zip(slots, [*slots[1:], slots[0] + CLUSTER_SLOTS], strict=True)
    ]
    width, start = max(gaps)
    number = 0
    while not width / 4 <= (hash_slot(str(number)) - start) % CLUSTER_SLOTS <= width * 3 / 4:
        number += 1
    return str(number)


def _raise_epochs(connection: Connection, shards: list[ShardKeys], epoch: int) -> None:
    connection.pipeline([("FCALL", "baro_epoch_1", 1, keys.epoch, epoch) for keys in shards])


def _write(connection: Connection, layout: Layout, *, expected: int) -> bool:
    pins = [item for pair in layout.pins.items() for item in pair]
    args: list[Value] = [expected, layout.epoch, ",".join(layout.tags), ",".join(layout.extra), *pins]
    status, _ = as_list(connection.call("baro_layout_1", [meta_key(layout.prefix)], args))
    return as_text(status) == "ok"


def _epochs(connection: Connection, shards: list[ShardKeys]) -> list[int]:
    return [_epoch(reply) for reply in connection.pipeline([("GET", keys.epoch) for keys in shards])]


def _epoch(reply: Reply) -> int:
    try:
        return 0 if reply is None else as_int(reply)
    except ValueError as error:
        raise CommandRefusedError(f"a shard's epoch is {reply!r}, not a number") from error


def _lock_key(prefix: str) -> str:
    return f"{meta_key(prefix)}:lock"
