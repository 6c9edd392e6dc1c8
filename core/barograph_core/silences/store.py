"""The silences of one shard on its server: a hash that ``baro_silence_1`` changes."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from barograph_core.alerts.actions import ONCE_MS, KeyReusedError, Once
from barograph_core.alerts.change import NO_TRIM_MS
from barograph_core.errors import BarographError, MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.log_limit import ONCE, LogLimit
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash, as_list, as_text
from barograph_core.silences.entry import Change, entry_of
from barograph_core.silences.silence import Silence

log = logging.getLogger(__name__)
# Limit of a shard, ended ones included: each notification is compared with every one.
MOST_SILENCES: Final = 2_000
_HITS: Final = "hits:"


class TooManySilencesError(BarographError):
    """There are as many silences as a shard may have. Whoever adds one ends others first."""


@dataclass(frozen=True, slots=True)
class HeldSilence:
    """A silence as the server has it.

    Attributes:
        text: Its JSON text, which a change is compared with.
        hits: Number of notifications that it has held back, on any channel.
    """

    silence: Silence
    text: str
    hits: int = 0


@dataclass(frozen=True, slots=True)
class SilenceWrite:
    """A change of one silence.

    Attributes:
        before: As it was read; ``None`` when it is new.
        after: From now on; ``None`` forgets it, without an entry.
        change: What the entry says.
        note: The words of the entry, where they are others than the silence's comment.
    """

    before: HeldSilence | None
    after: Silence | None
    change: Change = "changed"
    note: str = ""


class SilenceStore:
    """Reads and writes the silences of one shard. For one thread."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._log_limit = LogLimit(ONCE)

    def read(self) -> list[HeldSilence]:
        """Return every silence there is, also those that ended lately. One that cannot be read is logged once."""
        fields = as_hash(self._connection.command("HGETALL", self._keys.silences))
        found: list[HeldSilence] = []
        for name, text in fields.items():
            if ":" in name:
                continue
            hits = fields.get(_HITS + name, b"0")
            try:
                silence = Silence.from_json(text)
            except MalformedEventError as error:
                if self._log_limit.allows(name):
                    log.warning("silence.unreadable", extra={"silence_id": name, "reason": error.reason})
                continue
            found.append(HeldSilence(silence, text.decode(), int(hits) if hits.isdigit() else 0))
        return found

    def write(self, writes: Iterable[SilenceWrite], once: Once | None = None, answer: str = "-") -> bool:
        """Apply all of ``writes``, or none; ``False`` when somebody changed one of them in between.

        Args:
            writes: The changes.
            once: Of a request that may be sent again.
            answer: What is noted for it.

        Raises:
            KeyReusedError: ``once`` stands for another request.
            TooManySilencesError: There are too many.
            BarographError: As ``Connection.command``.
        """
        key = self._keys.once(once.key if once else "")
        args: list[Value] = [MOST_SILENCES, once.request if once else "", answer, ONCE_MS if once else 0, NO_TRIM_MS]
        for write in writes:
            args += _arguments(write)
        names = [self._keys.silences, self._keys.alerts, key]
        return _is_written(self._connection.call("baro_silence_1", names, args))

    def count_hit(self, silence_id: str) -> None:
        """Count a notification that a silence holds back."""
        self._connection.command("HINCRBY", self._keys.silences, _HITS + silence_id, 1)


def _arguments(write: SilenceWrite) -> Sequence[Value]:
    if write.after is None:
        if write.before is None:
            raise ValueError("a write without a silence")
        return [write.before.silence.silence_id, write.before.text, "", 0]
    entry = entry_of(write.after, write.change)
    fields = (replace(entry, note=write.note) if write.note else entry).to_fields()
    before = "" if write.before is None else write.before.text
    return [write.after.silence_id, before, write.after.to_json(), len(fields), *fields]


def _is_written(reply: Reply) -> bool:
    match as_text(as_list(reply)[0]):
        case "ok" | "done":
            return True
        case "stale":
            return False
        case "full":
            raise TooManySilencesError(f"there are {MOST_SILENCES:,} silences; end some, or wait until old ones go")
        case _:
            raise KeyReusedError("this key was used for another request before; take a new one for each")
