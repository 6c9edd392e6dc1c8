"""The query store: closed panes by step, and the open ones as far as they have come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from barograph_core.keys import ShardKeys
from barograph_core.pane import Pane
from barograph_core.pane_parts import unmarked
from barograph_core.steps import Step
from barograph_core.stream import Connection, Reply, Value, as_bytes, as_hash, as_int, as_list, as_text

_OPEN_PANES: Final = 8


@dataclass(frozen=True, slots=True)
class StoredPane:
    """A closed pane.

    Attributes:
        revision: 0 when first closed, one more for every closing with late events.
        missing: Instances that had not shipped everything before the pane's end and said no goodbye.
    """

    start_ms: int
    revision: int
    missing: int
    pane: Pane


@dataclass(frozen=True, slots=True)
class LiveView:
    """What is known of a service as of one moment.

    Attributes:
        closed_through_ms: Everything before it is closed; an absent pane before it is empty.
        closed: Closed panes asked for whose revision was not known yet, ascending.
        opened: Open panes with what has been committed, by start.
    """

    closed_through_ms: int
    closed: tuple[StoredPane, ...]
    opened: Mapping[int, Pane]


class PaneStore:
    """Reads panes of one shard. For one thread, as its connection is."""

    def __init__(self, connection: Connection, keys: ShardKeys, steps: Sequence[Step]) -> None:
        self._connection = connection
        self._keys = keys
        self._steps = {step.step_ms: step for step in steps}
        self._base = steps[0]
        self._parts: dict[tuple[str, int], tuple[int, Pane]] = {}

    @property
    def base_step_ms(self) -> int:
        return self._base.step_ms

    def keep_ms(self, step_ms: int) -> int:
        return self._steps[step_ms].keep_ms

    def kept_from_ms(self) -> dict[int, int]:
        """Return step -> when the panes that are all kept begin, for steps of which some were dropped for room."""
        fields = [f"kept_from_ms:{step_ms}" for step_ms in self._steps]
        found = as_list(self._connection.command("HMGET", self._keys.store, *fields))
        return {step_ms: as_int(reply) for step_ms, reply in zip(self._steps, found, strict=True) if reply is not None}

    def services(self) -> dict[str, int]:
        """Return every service with its ``closed_through_ms``."""
        found = as_hash(self._connection.command("HGETALL", self._keys.closed))
        return {service: int(through) for service, through in sorted(found.items())}

    def closed_through_ms(self, service: str) -> int | None:
        reply = self._connection.command("HGET", self._keys.closed, service)
        return None if reply is None else as_int(reply)

    def read(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> list[StoredPane]:
        """Return the closed panes that begin in ``[from_ms, to_ms)``, ascending; empty ones may be absent.

        Raises:
            KeyError: ``step_ms`` is not a step of the store.
        """
        span = self._steps[step_ms].span_ms
        # A command that names no pane would be refused.
        blocks = range(from_ms - from_ms % span, to_ms, span) if from_ms < to_ms else ()
        starts = [range(max(block, from_ms - from_ms % step_ms), min(block + span, to_ms), step_ms) for block in blocks]
        # By name: beside a block's panes lie the figures of its series, which are as many bytes again.
        commands: list[list[Value]] = [
            ["HMGET", self._keys.panes(service, step_ms, block), *(name for start in own for name in _names(start))]
            for block, own in zip(blocks, starts, strict=True)
        ]
        panes: list[StoredPane] = []
        for own, reply in zip(starts, self._connection.pipeline(commands), strict=True):
            values = as_list(reply)
            for start, revision, missing, blob in zip(own, values[::3], values[1::3], values[2::3], strict=True):
                if revision is not None and blob is not None and start >= from_ms:
                    panes.append(StoredPane(start, as_int(revision), as_int(missing), Pane.unpack(as_bytes(blob))))
        return panes

    def read_live(self, service: str, from_ms: int, known: Mapping[int, int]) -> LiveView | None:
        """Return, as of one moment, what is closed from ``from_ms`` on and what is open.

        Args:
            service: One service.
            from_ms: Closed panes from here on are wanted.
            known: Start -> revision of the panes the caller holds; only other revisions are sent.

        Returns:
            ``None`` when nothing of the service was ever closed.
        """
        through = self.closed_through_ms(service)
        if through is None:
            return None
        view = self._read_at(service, from_ms, through, known)
        while view.closed_through_ms > through:
            # Panes closed between the two calls: they were asked for as open ones.
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
        args += [self._parts.get((service, start), (0, None))[0] for start in open_starts]
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
            held = self._parts.get((service, start), (0, Pane.empty()))[1]
            if parts:
                held = Pane.merge([held, *(Pane.unpack(unmarked(as_bytes(part))) for part in parts)])
            self._parts[service, start] = (as_int(length), held)
            opened[start] = held
        return opened


def _names(start_ms: int) -> tuple[str, str, str]:
    return f"r{start_ms}", f"m{start_ms}", str(start_ms)


def _from_reply(reply: list[Reply]) -> StoredPane:
    start, revision, missing, blob = reply
    return StoredPane(int(as_text(start)), as_int(revision), as_int(missing), Pane.unpack(as_bytes(blob)))
