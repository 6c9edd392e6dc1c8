"""Keeps closed panes within ``store_memory_bytes``: weighs written blocks, and drops the finest and oldest first."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_bytes, as_hash, as_int, as_list
from barograph_core.steps import Step
from barograph_core.store.blocks import Block
from barograph_core.workers.counters import WorkerCounters

log = logging.getLogger(__name__)

_WEIGH_EVERY_MS: Final = 1_000
# Number of blocks weighed again each second, in turn. This corrects the weights of blocks that have expired, or whose
# worker died before it weighed them.
_AUDITED: Final = 50
_BLOCKS_AT_ONCE: Final = 500
# Drop to 95 % of the bound, because finding what to drop reads all weights. If nothing may be dropped, wait 30 s.
_DROP_TO_RATIO: Final = 0.95
_LOOK_AGAIN_AFTER_MS: Final = 30_000


class StoreMemory:
    """Enforces the bound of one shard.

    It drops whole blocks of all services, the finest step first and within a step the oldest first. It never drops
    blocks that end less than ``allowed_lateness_ms`` before the watermark: late events may still revise them.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        settings: AggregatorSettings,
        steps: Sequence[Step],
        counters: WorkerCounters,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._settings = settings
        self._spans = {step.step_ms: step.span_ms for step in steps}
        self._counters = counters
        self._unweighed: set[Block] = set()
        self._cursor = b"0"
        self._weigh_due_ms = self._room_due_ms = 0.0
        self._log_limit = LogLimit()
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Return the bytes of closed panes when they were last weighed."""
        return self._held_bytes

    def keep_within(self, now_ms: float, watermark_ms: int, written: Iterable[Block]) -> None:
        """Weigh ``written`` blocks, and drop some if all blocks together exceed the bound. ``now_ms`` is monotonic.

        Raises:
            BarographError: The server is unreachable or refuses.
        """
        self._unweighed.update(written)
        if now_ms < self._weigh_due_ms:
            return
        self._weigh_due_ms = now_ms + _WEIGH_EVERY_MS
        held = self._weigh(self._unweighed | self._next_to_audit())
        self._unweighed.clear()
        total = sum(int(value) for name, value in held.items() if name.startswith("bytes:"))
        self._held_bytes = total
        bound = self._settings.store_memory_bytes
        if 0 < bound < total and now_ms >= self._room_due_ms:
            self._make_room(total - int(bound * _DROP_TO_RATIO), watermark_ms, now_ms, total)

    def _next_to_audit(self) -> set[Block]:
        reply = self._connection.command("HSCAN", self._keys.weights, self._cursor, "COUNT", _AUDITED)
        cursor, found = as_list(reply)
        self._cursor = as_bytes(cursor)
        return {Block.parse(name) for name in as_hash(found)}

    def _weigh(self, blocks: Iterable[Block]) -> dict[str, bytes]:
        known = sorted(blocks)
        held: dict[str, bytes] = {}
        for first in range(0, len(known) or 1, _BLOCKS_AT_ONCE):
            some = known[first : first + _BLOCKS_AT_ONCE]
            keys = [self._keys.store, self._keys.weights, *(self._key_of(block) for block in some)]
            names = [block.name for block in some]
            held = as_hash(self._connection.call("baro_weigh_1", keys, [self._settings.store_memory_bytes, *names]))
        return held

    def _make_room(self, wanted: int, watermark_ms: int, now_ms: float, total: int) -> None:
        weights = as_hash(self._connection.command("HGETALL", self._keys.weights))
        chosen = self._choose(weights, wanted, watermark_ms - self._settings.allowed_lateness_ms)
        dropped = freed = 0
        for first in range(0, len(chosen), _BLOCKS_AT_ONCE):
            some = chosen[first : first + _BLOCKS_AT_ONCE]
            keys = [self._keys.store, self._keys.weights, self._keys.open, self._keys.rollups]
            args: list[Value] = [item for block in some for item in (block.name, self._spans[block.step_ms])]
            reply = self._connection.call("baro_drop_1", [*keys, *(self._key_of(block) for block in some)], args)
            counts = [as_int(figure) for figure in as_list(reply)]
            dropped, freed = dropped + counts[0], freed + counts[1]
        self._counters.add("blocks_dropped", dropped)
        self._room_due_ms = now_ms if dropped else now_ms + _LOOK_AGAIN_AFTER_MS
        self._log_dropped(now_ms, dropped, freed, total)

    def _choose(self, weights: Mapping[str, bytes], wanted: int, horizon_ms: int) -> list[Block]:
        blocks = sorted(Block.parse(name) for name in weights)
        chosen: list[Block] = []
        for block in blocks:
            if wanted <= 0:
                break
            span_ms = self._spans.get(block.step_ms)
            if span_ms is None or block.start_ms + span_ms > horizon_ms:
                continue
            chosen.append(block)
            wanted -= int(weights[block.name])
        return chosen

    def _log_dropped(self, now_ms: float, dropped: int, freed: int, total: int) -> None:
        if not self._log_limit.allows("store", now_ms):
            return
        bound = self._settings.store_memory_bytes
        facts = {"blocks": dropped, "freed_bytes": freed, "held_bytes": total - freed, "bound_bytes": bound}
        if total - freed > bound:
            # Late events may still revise the rest. A larger bound helps, or a shorter allowed lateness.
            log.error("store.over_bound", extra=facts)
        else:
            log.warning("store.panes_dropped", extra=facts)

    def _key_of(self, block: Block) -> str:
        return self._keys.panes(block.service, block.step_ms, block.start_ms)
