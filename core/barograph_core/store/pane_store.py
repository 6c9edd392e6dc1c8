"""The query store: closed panes by step, and the open ones with what has been committed so far."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import Final

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.panes.pane import Pane
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_bytes, as_hash, as_int, as_list, as_text
from barograph_core.steps import Step
from barograph_core.store.blocks import PaneFields
from barograph_core.store.closed import parse_closed
from barograph_core.store.parts import mark_of, unmarked

_OPEN_PANES: Final = 8
# How long a silent producer counts as missing, until an aggregator has written its setting.
_PATIENCE_MS: Final = 300_000


@dataclass(frozen=True, slots=True)
class StoredPane:
    """A closed pane.

    Attributes:
        revision: 0 when first closed, and 1 more for each closing with late events.
        missing: Number of instances that had neither shipped everything before the pane's end nor said goodbye.
        content: What the pane was read from; empty where it was made here.
    """

    start_ms: int
    revision: int
    missing: int
    pane: Pane
    content: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PackedPane:
    """A closed pane as it lies on the server: ``content`` is what ``Pane.pack`` returned."""

    start_ms: int
    revision: int
    missing: int
    content: bytes

    def unpack(self) -> StoredPane:
        """Return the pane as a reader merges it.

        Raises:
            MalformedEventError: The content is not a packed pane.
        """
        return StoredPane(self.start_ms, self.revision, self.missing, Pane.unpack(self.content), self.content)


@dataclass(frozen=True, slots=True)
class LiveView:
    """The panes of a service as of one moment.

    Attributes:
        closed_through_ms: Everything before it is closed; an absent pane before it is empty.
        closed: The closed panes that were asked for and whose revision the caller did not have, ascending.
        opened: Start of each open pane -> the pane with all that has been committed.
    """

    closed_through_ms: int
    closed: tuple[StoredPane, ...]
    opened: Mapping[int, Pane]


@dataclass(frozen=True, slots=True)
class _KnownParts:
    """The first ``length`` parts of an open pane, merged. ``mark`` is that of the last of them."""

    length: int = 0
    mark: bytes = b""
    pane: Pane = Pane.EMPTY


_NO_PARTS: Final = _KnownParts()


class PaneStore:
    """Reads panes of one shard. For one thread only, like its connection."""

    def __init__(self, connection: Connection, keys: ShardKeys, steps: Sequence[Step]) -> None:
        self._connection = connection
        self._keys = keys
        self._steps = {step.step_ms: step for step in steps}
        self._base = steps[0]
        self._parts: dict[tuple[str, int], _KnownParts] = {}

    @property
    def breaks(self) -> int:
        """Return how often the server was lost: the one that answers now may lack what another one told."""
        return self._connection.breaks

    @property
    def base_step_ms(self) -> int:
        return self._base.step_ms

    def keep_ms(self, step_ms: int) -> int:
        return self._steps[step_ms].keep_ms

    def kept_from_ms(self) -> dict[int, int]:
        """Return step -> start of the panes that are all kept, for steps with panes dropped to make room."""
        fields = [f"kept_from_ms:{step_ms}" for step_ms in self._steps]
        found = as_list(self._connection.command("HMGET", self._keys.store, *fields))
        return {step_ms: as_int(reply) for step_ms, reply in zip(self._steps, found, strict=True) if reply is not None}

    def whole_from_ms(self) -> dict[int, int]:
        """Return step -> start of the panes that are all there: from it on none has expired or was dropped.

        By the server's clock, which ends their retention. The event time of a backlog lies behind it.
        """
        dropped = self.kept_from_ms()
        now_ms = self.server_ms()
        return {step_ms: max(now_ms - step.keep_ms, dropped.get(step_ms, 0)) for step_ms, step in self._steps.items()}

    def server_ms(self) -> int:
        """Return the time of the server's clock."""
        return read_now(self._connection)

    def pending_roll_ups(self, service: str, through_ms: int) -> list[tuple[int, int]]:
        """Return step and start of each roll-up of ``service`` that ends by ``through_ms`` and is still to be made.

        Linear in the roll-ups of all services that are due: some hundreds at most, while a backlog is worked off.
        """
        found = as_list(self._connection.command("ZRANGEBYSCORE", self._keys.rollups, "-inf", through_ms))
        members = [as_text(member) for member in found]
        own = [member.rsplit(":", 2) for member in members if member.startswith(f"{service}:")]
        return [(int(step), int(start)) for _, step, start in own if step.isdecimal() and start.isdecimal()]

    def services(self) -> dict[str, int]:
        """Return every service with its ``closed_through_ms``."""
        return dict(sorted(parse_closed(self._connection.command("HGETALL", self._keys.closed)).items()))

    def has_blocks(self, service: str) -> bool:
        """Say whether any closed pane of ``service`` is stored, of whatever step."""
        return as_int(self._connection.command("EXISTS", self._keys.blocks(service))) == 1

    def heard_until_ms(self, service: str) -> int:
        """Return until when a producer of ``service`` counts as alive or missing; 0 when none is listed.

        The newest one's last sign of life and the time for which the aggregator counts a silent one as missing.
        """
        newest, patience = self._connection.pipeline(
            [
                ["ZRANGE", self._keys.producers(service), -1, -1, "WITHSCORES"],
                ["HGET", self._keys.progress, "no_data_ms"],
            ]
        )
        found = as_hash(newest)
        patience_ms = _PATIENCE_MS if patience is None else as_int(patience)
        return max((int(float(score)) + patience_ms for score in found.values()), default=0)

    def missing_instances(self, service: str, end_ms: int, most: int) -> tuple[str, ...]:
        """Return up to ``most`` instances that have not shipped all before ``end_ms``, the longest silent first."""
        command = (
            "ZRANGEBYSCORE",
            self._keys.producers(service),
            end_ms - _PATIENCE_MS,
            f"({end_ms}",
            "LIMIT",
            0,
            most,
        )
        return tuple(map(as_text, as_list(self._connection.command(*command))))

    def arrived_ms(self, service: str, closed_through_ms: int) -> float:
        """Return the event time before which all events of ``service`` have arrived.

        Every live producer has shipped what it recorded before, and aggregators have committed it. Minus infinity while
        that is not known: a producer is missing, none is listed, or no aggregator has looked yet. Whether one is
        missing is seen by the server's clock. What it has shipped is told by its own, by which its events are dated:
        of one whose clock is behind, events of a time come later. Producers of earlier versions do not tell it.
        """
        since_ms = closed_through_ms - _PATIENCE_MS
        oldest = ("WITHSCORES", "LIMIT", 0, 1)
        producers, shipped, reached = self._connection.pipeline(
            [
                ["ZRANGEBYSCORE", self._keys.producers(service), since_ms, "+inf", *oldest],
                ["ZRANGEBYSCORE", self._keys.shipped(service), since_ms, "+inf", *oldest],
                ["HGET", self._keys.progress, "reached_ms"],
            ]
        )
        heard_ms = min(map(float, as_hash(producers).values()), default=-math.inf)
        if reached is None or heard_ms < closed_through_ms:
            return -math.inf
        shipped_ms = min(map(float, as_hash(shipped).values()), default=heard_ms)
        return min(heard_ms, as_int(reached)) - max(0.0, heard_ms - shipped_ms)

    def closed_through_ms(self, service: str) -> int | None:
        reply = self._connection.command("HGET", self._keys.closed, service)
        return None if reply is None else as_int(reply)

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> list[StoredPane]:
        """Return the closed panes that begin in ``[from_ms, to_ms)``, ascending; empty ones may be absent.

        Raises:
            KeyError: ``step_ms`` is not a step of the store.
        """
        return [packed.unpack() for packed in self.read_packed(service, step_ms, from_ms, to_ms)]

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> list[PackedPane]:
        """Return what ``read`` does, not unpacked: most of what a chart draws needs no whole pane.

        Raises:
            KeyError: ``step_ms`` is not a step of the store.
        """
        # Ask for fields by name: the figures in the same block are as many bytes as the panes.
        found = self._read_fields(service, step_ms, self._starts(step_ms, from_ms, to_ms), PaneFields.of)
        return [
            PackedPane(start, as_int(revision), as_int(missing), as_bytes(blob))
            for start, (revision, missing, blob) in found
            if revision is not None and blob is not None and start >= from_ms
        ]

    def read_changed(
        self, service: str, step_ms: int, from_ms: int, to_ms: int, known: Mapping[int, int]
    ) -> list[StoredPane]:
        """Return what ``read`` does, without the panes of which ``known`` (start -> revision) has the revision.

        Raises:
            KeyError: ``step_ms`` is not a step of the store.
        """
        starts = self._starts(step_ms, from_ms, to_ms)
        revisions = self._read_fields(service, step_ms, starts, lambda start: (PaneFields.of(start).revision,))
        changed = [
            start
            for start, (revision,) in revisions
            if revision is not None and start >= from_ms and as_int(revision) != known.get(start)
        ]
        return [
            PackedPane(start, as_int(revision), as_int(missing), as_bytes(blob)).unpack()
            for start, (revision, missing, blob) in self._read_fields(service, step_ms, changed, PaneFields.of)
            if revision is not None and blob is not None
        ]

    def _starts(self, step_ms: int, from_ms: int, to_ms: int) -> range:
        return range(from_ms - from_ms % step_ms, to_ms, step_ms)

    def _read_fields(
        self, service: str, step_ms: int, starts: Iterable[int], fields_of: Callable[[int], Sequence[str]]
    ) -> list[tuple[int, list[Reply]]]:
        """Return fields of the panes that begin at ``starts`` (ascending), read in one round trip."""
        span = self._steps[step_ms].span_ms
        blocks = [(block, list(own)) for block, own in groupby(starts, lambda start: start - start % span)]
        commands: list[list[Value]] = [
            ["HMGET", self._keys.panes(service, step_ms, block), *chain.from_iterable(map(fields_of, own))]
            for block, own in blocks
        ]
        found: list[tuple[int, list[Reply]]] = []
        for (_, own), reply in zip(blocks, self._connection.pipeline(commands) if commands else [], strict=True):
            values = as_list(reply)
            width = len(values) // len(own)
            found += [(start, values[at * width : (at + 1) * width]) for at, start in enumerate(own)]
        return found

    def read_live(self, service: str, from_ms: int, known: Mapping[int, int]) -> LiveView | None:
        """Return, as of one moment, the panes that are closed from ``from_ms`` on and those that are open.

        Args:
            service: Name of the service.
            from_ms: Start of the first closed pane to return.
            known: Start -> revision of the panes that the caller holds. The server sends other revisions only.

        Returns:
            ``None`` when no pane of the service was ever closed.
        """
        through = self.closed_through_ms(service)
        if through is None:
            return None
        view = self._read_at(service, from_ms, through, known)
        while view.closed_through_ms > through:
            # A pane was closed between the two calls: the second asked for it as an open one.
            through = view.closed_through_ms
            view = self._read_at(service, from_ms, through, known)
        return view

    def _read_at(self, service: str, from_ms: int, through_ms: int, known: Mapping[int, int]) -> LiveView:
        step, span = self._base.step_ms, self._base.span_ms
        first = from_ms - from_ms % step
        blocks: dict[int, list[int]] = {}
        for start in range(first, through_ms, step):
            blocks.setdefault(start - start % span, []).append(start)
        open_starts = range(through_ms, through_ms + _OPEN_PANES * step, step)
        keys = [self._keys.closed]
        keys += [self._keys.panes(service, step, block) for block in blocks]
        keys += [self._keys.parts(service, start) for start in open_starts]
        args: list[Value] = [service, len(blocks)]
        for starts in blocks.values():
            args.append(len(starts))
            for start in starts:
                args += [start, known.get(start, -1)]
        known_parts = [self._parts.get((service, start), _NO_PARTS) for start in open_starts]
        args += [one.length for one in known_parts]
        args += [one.mark for one in known_parts]
        through, panes, parts = as_list(self._connection.call("baro_read_1", keys, args, read_only=True))
        closed_through = as_int(through) if through else through_ms
        return LiveView(
            closed_through,
            tuple(_from_reply(as_list(pane)) for pane in as_list(panes)),
            self._merge_parts(service, closed_through, list(zip(open_starts, as_list(parts), strict=True))),
        )

    def _merge_parts(self, service: str, closed_through_ms: int, found: Sequence[tuple[int, Reply]]) -> dict[int, Pane]:
        for key in [key for key in self._parts if key[0] == service and key[1] < closed_through_ms]:
            del self._parts[key]
        opened: dict[int, Pane] = {}
        for start, reply in found:
            length, *parts = as_list(reply)
            if start < closed_through_ms or not as_int(length):
                continue
            held = self._parts.get((service, start), _NO_PARTS)
            if len(parts) == as_int(length):
                # The list is not the one that was known: it was deleted, or a failover lost its end.
                held = _NO_PARTS
            if parts:
                news = [as_bytes(part) for part in parts]
                merged = Pane.merge([held.pane, *(Pane.unpack(unmarked(part)) for part in news)])
                held = _KnownParts(as_int(length), mark_of(news[-1]), merged)
            self._parts[service, start] = held
            opened[start] = held.pane
        return opened


def _from_reply(reply: list[Reply]) -> StoredPane:
    start, revision, missing, blob = reply
    return PackedPane(int(as_text(start)), as_int(revision), as_int(missing), as_bytes(blob)).unpack()
