"""What people do with silences, on every shard at once."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from barograph_core.alerts.actions import AlertConflictError, Once, find_done
from barograph_core.alerts.reading import read_states
from barograph_core.alerts.record import AlertRecord
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.server.connection import Connection
from barograph_core.silences.entry import ended
from barograph_core.silences.silence import Silence, SilenceError, check_silence, labels_of
from barograph_core.silences.store import HeldSilence, SilenceStore, SilenceWrite

_ATTEMPTS: Final = 20
Decision = Callable[[HeldSilence | None], Iterable[SilenceWrite]]


class SilenceNotFoundError(LookupError):
    """No silence has this id."""


class SilenceBook:
    """Reads and changes silences. Each lies on every shard under one id, so that its alerts need not be known."""

    def __init__(self, connection: Connection, layout: Layout) -> None:
        self._connection = connection
        self._layout = layout
        self._shards: Sequence[ShardKeys] = layout.shards

    def all(self) -> list[HeldSilence]:
        """Return every silence once, the one that was changed last first; its hits are those on all shards."""
        found: dict[str, HeldSilence] = {}
        for keys in self._shards:
            for one in SilenceStore(self._connection, keys).read():
                known = found.get(one.silence.silence_id)
                found[one.silence.silence_id] = one if known is None else _merged(known, one)
        return sorted(found.values(), key=lambda one: (-one.silence.changed_ms, one.silence.silence_id))

    def find(self, silence_id: str) -> HeldSilence:
        """Return one silence.

        Raises:
            SilenceNotFoundError: There is none.
        """
        for one in self.all():
            if one.silence.silence_id == silence_id:
                return one
        raise SilenceNotFoundError(f"there is no silence {silence_id!r}")

    def meant(self, silence: Silence) -> list[AlertRecord]:
        """Return the alerts that are pending or firing and that ``silence`` means, whatever the time."""
        return [record for keys in self._shards for record in _meant(self._connection, keys, silence)]

    def add(self, draft: Silence, now_ms: int, once: Once | None = None) -> Silence:
        """Write a silence.

        Args:
            draft: As it is asked for; its id is chosen here.
            now_ms: Wall time. A start before it becomes now.
            once: Of a request that may be sent again.

        Returns:
            The silence; for a request that was applied before, the one of that time.

        Raises:
            SilenceError: It cannot be meant so.
            KeyReusedError: ``once`` stands for another request.
            TooManySilencesError: There are too many.
        """
        if once is not None:
            find_done(self._connection, self._layout, once)
        # The same request has the same id, also where it got to some of the shards only.
        silence_id = str(uuid.UUID(once.key) if once else uuid.uuid4())
        silence = replace(
            draft, silence_id=silence_id, starts_ms=max(draft.starts_ms, now_ms), changed_ms=now_ms, ended_ms=None
        )
        check_silence(silence, now_ms)
        known = next((one.silence for one in self.all() if one.silence.silence_id == silence_id), None)
        silence = known or silence
        shards = self._shards if silence.ends_ms is not None else self._shards_meant(silence)
        if not shards and known is None:
            raise SilenceError(
                "ends", "nothing that it mutes is pending or firing, so it would end at once: give an end"
            )
        for keys in shards:
            self._write(keys, silence_id, lambda held: [] if held else [SilenceWrite(None, silence, "added")], once)
        return silence

    def change(self, silence_id: str, draft: Silence, now_ms: int, once: Once | None = None) -> Silence:
        """Change a silence: with the same matchers and start it keeps its id, else a new one takes its place.

        Raises:
            SilenceNotFoundError: There is none of this id.
            SilenceError: It cannot be meant so.
            KeyReusedError: ``once`` stands for another request.
            TooManySilencesError: There are too many.
        """
        done = find_done(self._connection, self._layout, once) if once else None
        before = self.find(silence_id).silence
        if done == silence_id and before.state_at(now_ms) == "expired":
            # It was changed as asked, and has ended since.
            return before
        if not _keeps_id(before, draft, now_ms):
            added = self.add(draft, now_ms, once)
            self._end(silence_id, lambda silence: ended(silence, "replaced", now_ms, draft.actor), "")
            return added
        after = replace(before, ends_ms=draft.ends_ms, comment=draft.comment, actor=draft.actor, changed_ms=now_ms)
        check_silence(after, now_ms)

        def decide(held: HeldSilence | None) -> Iterable[SilenceWrite]:
            if held is None:
                return [SilenceWrite(None, after, "added")]
            is_same = replace(held.silence, changed_ms=now_ms) == after
            return [] if is_same else [SilenceWrite(held, after, "changed")]

        for keys in self._shards:
            self._write(keys, silence_id, decide, once)
        return after

    def end(self, silence_id: str, *, actor: str, note: str, now_ms: int, once: Once | None = None) -> Silence:
        """End a silence now.

        Raises:
            SilenceNotFoundError: There is none of this id.
            AlertConflictError: It is over already, and not by this request.
            KeyReusedError: ``once`` stands for another request.
        """
        done = find_done(self._connection, self._layout, once) if once else None
        before = self.find(silence_id).silence
        if done is None and before.state_at(now_ms) == "expired":
            raise AlertConflictError(f"silence {silence_id!r} is over already")
        # Also when the request was applied: it may have got to some of the shards only.
        self._end(silence_id, lambda silence: ended(silence, "by_hand", now_ms, actor), note, once)
        return before if before.ended_ms is not None else ended(before, "by_hand", now_ms, actor)

    def _end(self, silence_id: str, end: Callable[[Silence], Silence], note: str, once: Once | None = None) -> None:
        def decide(held: HeldSilence | None) -> Iterable[SilenceWrite]:
            if held is None or held.silence.ended_ms is not None:
                return []
            return [SilenceWrite(held, end(held.silence), "ended", note)]

        for keys in self._shards:
            self._write(keys, silence_id, decide, once)

    def _shards_meant(self, silence: Silence) -> list[ShardKeys]:
        return [keys for keys in self._shards if _meant(self._connection, keys, silence)]

    def _write(self, keys: ShardKeys, silence_id: str, decide: Decision, once: Once | None) -> None:
        store = SilenceStore(self._connection, keys)
        for _ in range(_ATTEMPTS):
            held = next((one for one in store.read() if one.silence.silence_id == silence_id), None)
            writes = list(decide(held))
            if not writes or store.write(writes, once, silence_id):
                return
        raise AlertConflictError(f"silence {silence_id!r} keeps changing; try again")


def _meant(connection: Connection, keys: ShardKeys, silence: Silence) -> list[AlertRecord]:
    return [
        record
        for state in read_states(connection, keys)
        for record in state.incidents
        if silence.mutes(labels_of(record))
    ]


def _merged(left: HeldSilence, right: HeldSilence) -> HeldSilence:
    """Return one of two copies: the one that has not ended, else the newer one, with the hits of both."""
    newer = max(left, right, key=lambda one: (one.silence.ended_ms is None, one.silence.changed_ms))
    return replace(newer, hits=left.hits + right.hits)


def _keeps_id(before: Silence, after: Silence, now_ms: int) -> bool:
    # Other programs write times in seconds.
    is_same_start = before.starts_ms // 1_000 == after.starts_ms // 1_000
    is_same = is_same_start and frozenset(before.matchers) == frozenset(after.matchers)
    return is_same and before.state_at(now_ms) != "expired"
