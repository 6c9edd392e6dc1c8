"""What channels were told: the deliveries stream, and until when their own deliveries keep them quiet."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import Entry, EntryId, as_entries

log = logging.getLogger(__name__)
_PAGE: Final = 500
_PAGES: Final = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry of the deliveries stream: one attempt to send a transition, or why it was not sent."""

    id: EntryId
    transition: str
    channel: str
    attempt: int
    result: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Deliveries, newest first, and the id before which the next page begins (``None``: there is none)."""

    deliveries: tuple[Delivery, ...]
    next_before: EntryId | None


def scan_deliveries(
    connection: Connection,
    keys: ShardKeys,
    *,
    transitions: Collection[str] | None,
    channel: str,
    before: EntryId | None,
    limit: int,
) -> DeliveryPage:
    """Return up to ``limit`` deliveries of one shard, newest first, until a bound of entries was read.

    Args:
        connection: To the server.
        keys: The shard's.
        transitions: Ids of the transitions whose deliveries are wanted; of all when ``None``.
        channel: Only of this channel; of all when empty.
        before: Only older entries.
        limit: The most that are returned.
    """
    found: list[Delivery] = []
    cursor = before
    for _ in range(_PAGES):
        start = "+" if cursor is None else f"({cursor}"
        entries = as_entries(connection.command("XREVRANGE", keys.deliveries, start, "-", "COUNT", _PAGE))
        for entry in entries:
            if len(found) == limit:
                return DeliveryPage(tuple(found), cursor)
            cursor = entry.id
            delivery = _delivery(entry)
            if delivery is not None and _fits(delivery, transitions, channel):
                found.append(delivery)
        if len(entries) < _PAGE:
            return DeliveryPage(tuple(found), None)
    return DeliveryPage(tuple(found), cursor)


def _fits(delivery: Delivery, transitions: Collection[str] | None, channel: str) -> bool:
    return (transitions is None or delivery.transition in transitions) and channel in ("", delivery.channel)


def _delivery(entry: Entry) -> Delivery | None:
    texts = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in entry.fields.items()}
    try:
        return Delivery(
            id=entry.id,
            transition=texts["transition"],
            channel=texts["channel"],
            attempt=int(texts["attempt"]),
            result=texts["result"],
            reason=texts.get("reason", ""),
            at_ms=int(texts["at_ms"]),
        )
    except (KeyError, ValueError):
        log.warning("delivery.unreadable", extra={"entry_id": str(entry.id)})
        return None


def next_end_ms(values: Iterable[bytes], now_ms: int) -> int | None:
    """Return when the first of the cooldowns that run ends; ``None`` when none runs. Unreadable values are none."""
    ends = [int(first) for value in values if (first := value.partition(b" ")[0]).isdigit()]
    return min((end for end in ends if end > now_ms), default=None)
