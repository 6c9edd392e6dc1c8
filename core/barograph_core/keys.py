"""Every Redis key of barograph is made here (DESIGN section 4)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

DEFAULT_PREFIX = "baro"
SERVICE_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_PREFIX_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
CLUSTER_SLOTS: Final = 16_384
# The consumer group of aggregators on the events stream.
AGGREGATOR_GROUP: Final = "aggregator"
# The service by which the pipeline tells of itself; that of a further shard has something after it.
SELF_SERVICE: Final = "barograph"


def _crc16_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_CRC16 = _crc16_table()


def crc16(text: str) -> int:
    """Return the CRC-16/XMODEM of ``text`` in UTF-8, the checksum Redis Cluster hashes keys with."""
    crc = 0
    for byte in text.encode():
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[(crc >> 8) ^ byte]
    return crc


def hash_slot(tag: str) -> int:
    """Return the Cluster slot (0 to 16,383) of every key that carries the hash tag ``{tag}``."""
    return crc16(tag) % CLUSTER_SLOTS


@lru_cache(maxsize=1_024)
def _slot_of_tag(tag: str) -> int:
    return hash_slot(tag)


def slot_of_key(key: str | bytes) -> int:
    """Return the Cluster slot of a key: of what stands between its first braces, or of all of it without."""
    text = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
    _, _, rest = text.partition("{")
    tag, closing, _ = rest.partition("}")
    return _slot_of_tag(tag) if tag and closing else hash_slot(text)


def shard_tag(index: int, shards: int) -> str:
    """Return the hash tag of shard ``index`` of ``shards``.

    One shard is plain ``0``. Several get the first numeric tag whose slot lies in the middle of the
    shard's equal share of the slots, so that nodes with equal slot ranges carry equal numbers of shards
    (tags taken in a row load nodes 1.5 to 2 times unevenly).

    Raises:
        ValueError: ``index`` is not one of ``shards``.
    """
    if not 0 <= index < shards:
        raise ValueError(f"shard index {index!r} is not in 0..{shards - 1}")
    if shards == 1:
        return "0"
    share = CLUSTER_SLOTS / shards
    low, high = int((index + 0.25) * share), int((index + 0.75) * share)
    candidate = 0
    while not low <= hash_slot(str(candidate)) < high:
        candidate += 1
    return str(candidate)


def shard_of(service: str, shards: int) -> int:
    """Return the shard index of ``service`` when it is not pinned."""
    return crc16(service) % shards


def is_service_name(text: str) -> bool:
    """Say whether ``text`` can name a service: 1 to 64 of ``A-Z a-z 0-9 . _ -``."""
    return SERVICE_PATTERN.match(text) is not None


def pane_member(service: str, step_ms: int, start_ms: int) -> str:
    """Return how a pane, or the block that begins with it, is called on the lists of its shard."""
    return f"{service}:{step_ms}:{start_ms}"


def parse_pane_member(member: str) -> tuple[str, int, int]:
    """Undo ``pane_member``.

    Raises:
        ValueError: It is something else.
    """
    service, step_ms, start_ms = member.rsplit(":", 2)
    return service, int(step_ms), int(start_ms)


def meta_key(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of the layout: a hash with ``epoch``, ``tags``, ``extra`` and ``pin:<service>`` fields."""
    return f"{prefix}:meta"


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys of one shard. All carry one hash tag, so that one function call may touch any of them.

    Attributes:
        prefix: ``baro`` unless configured, 1 to 32 of ``A-Z a-z 0-9 . _ -``.
        tag: What ``shard_tag`` returned.
    """

    prefix: str = DEFAULT_PREFIX
    tag: str = "0"

    def __post_init__(self) -> None:
        if not _PREFIX_PATTERN.match(self.prefix):
            raise ValueError(f"prefix {self.prefix!r} is not 1 to 32 of A-Z a-z 0-9 . _ -")

    def _key(self, *parts: object) -> str:
        return ":".join((self.prefix, f"{{{self.tag}}}", *map(str, parts)))

    @property
    def events(self) -> str:
        return self._key("events")

    @property
    def metrics(self) -> str:
        return self._key("metrics")

    @property
    def alerts(self) -> str:
        return self._key("alerts")

    @property
    def deliveries(self) -> str:
        return self._key("deliveries")

    @property
    def dead(self) -> str:
        return self._key("dead")

    @property
    def epoch(self) -> str:
        """Return the key of the shard's copy of the layout's epoch (a Cluster function cannot read ``baro:meta``)."""
        return self._key("epoch")

    @property
    def open(self) -> str:
        """Return the key of the sorted set of panes to close: ``service:step_ms:start_ms`` by end in ms."""
        return self._key("open")

    @property
    def rollups(self) -> str:
        """Return the key of the sorted set of roll-ups to make, as ``open``.

        Apart from the panes: a roll-up waits until its service is closed through its end, and must not stand
        in the way of the panes that get it there.
        """
        return self._key("rollups")

    @property
    def progress(self) -> str:
        """Return the key of the hash of what the aggregators know together.

        The watermark, the closing lease with the closer's ``no_data_ms``, and when the last hint was (``advanced_ms``).
        Of services that end: ``deleted:<service>``, the newest entry that went with one, and ``deleted``, the newest of
        those; how many ``deletions`` there were and lists of series (``series_dropped``); ``places_freed_ms``, when
        series last gave their places up. The books: ``committed``, ``dead:<group>``, ``lost:<group>`` with
        ``lost_counted:`` and ``lost_events:``, and ``added_before``, ``added_seen``, ``last_seen`` and ``put_back`` of
        the stream; ``told``, up to which totals the pipeline's own panes have told.
        """
        return self._key("progress")

    @property
    def closed(self) -> str:
        """Return the key of the hash service -> closed_through_ms."""
        return self._key("closed")

    @property
    def rebuild(self) -> str:
        """Return the key of the hash that says from what this prefix is rebuilt, and whether that is done."""
        return self._key("rebuild")

    @property
    def heard(self) -> str:
        """Return the key of the sorted set of services by the end of the newest pane that had an event, in ms."""
        return self._key("heard")

    @property
    def silences(self) -> str:
        return self._key("silences")

    @property
    def workers(self) -> str:
        """Return the key of the sorted set ``stage:consumer`` by last sign of life in ms."""
        return self._key("workers")

    @property
    def store(self) -> str:
        """Return the key of the hash of what closed panes take by step, and of what was dropped to make room."""
        return self._key("store")

    @property
    def weights(self) -> str:
        """Return the key of the hash ``service:step_ms:block_start_ms`` -> bytes of that block."""
        return self._key("weights")

    def parts(self, service: str, start_ms: int) -> str:
        return self._key("parts", service, start_ms)

    def rollup_parts(self, service: str, step_ms: int, start_ms: int) -> str:
        """Return the key of the list of what a roll-up has still to take in: its children, each as it closes."""
        return self._key("parts", service, step_ms, start_ms)

    def blocks(self, service: str) -> str:
        """Return the key of the sorted set ``step_ms:block_start_ms`` of a service's blocks, by their expiry in ms."""
        return self._key("blocks", service)

    def panes(self, service: str, step_ms: int, block_start_ms: int) -> str:
        """Return the key of a block: the hash of the closed panes of one span of the next coarser step."""
        return self._key("panes", service, step_ms, block_start_ms)

    def series(self, service: str) -> str:
        """Return the key of the sorted set of series kept apart, by when a worker last asked for them."""
        return self._key("series", service)

    def sequence(self, instance: str) -> str:
        return self._key("seq", instance)

    def producers(self, service: str) -> str:
        return self._key("producers", service)

    def producer(self, instance: str) -> str:
        """Return the key of a producer's liveness hash: service, sent, dropped by reason."""
        return self._key("producer", instance)

    def state(self, service: str) -> str:
        return self._key("state", service)

    def cooldown(self, alert_id: str) -> str:
        return self._key("cooldown", alert_id)

    def outbox(self, channel: str) -> str:
        """Return the key of the sorted set of groups with something to send, by due time in ms."""
        return self._key("outbox", channel)

    def outbox_items(self, channel: str, group: str) -> str:
        """Return the key of the hash of one group: entry id -> notification as JSON, and what was delivered."""
        return self._key("outbox", channel, group, "items")

    def lease(self, channel: str, group: str) -> str:
        """Return the key that holds the fencing token of the sender of ``group`` on ``channel``."""
        return self._key("lease", channel, group)

    def worker(self, stage: str, consumer: str) -> str:
        """Return the key of a worker's self-metrics hash; it expires soon after the worker's death."""
        return self._key("worker", stage, consumer)
