"""The record of the heartbeats that notifiers send to an outside watch."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Self

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_bytes, as_hash
from barograph_core.text.foreign_json import load_foreign_json
from barograph_core.text.one_line import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One ``[[heartbeat]]`` as the server knows it. Times are the server's, in ms.

    Attributes:
        every_ms: How often it is sent.
        sent_ms: When it was sent last; ``None``: never.
        sent: How often it was sent.
        tried_ms: When the last attempt ended; ``None``: there was none.
        problem: Why the last attempt sent nothing; empty when it did.
    """

    name: str
    every_ms: int
    sent_ms: int | None = None
    sent: int = 0
    tried_ms: int | None = None
    problem: str = ""

    def after_sent(self, at_ms: int) -> "Beat":
        return replace(self, sent_ms=at_ms, sent=self.sent + 1, tried_ms=at_ms, problem="")

    def after_failure(self, at_ms: int, problem: str) -> "Beat":
        return replace(self, tried_ms=at_ms, problem=one_line(problem, 300))

    def age_ms(self, at_ms: int) -> int | None:
        """Return how long ago it was sent; ``None``: never."""
        return None if self.sent_ms is None else max(0, at_ms - self.sent_ms)

    @classmethod
    def from_json(cls, name: str, text: bytes) -> Self:
        """Read what ``write_beat`` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            document = load_foreign_json(text)
            sent_ms, tried_ms = document.get("sent_ms"), document.get("tried_ms")
            return cls(
                name=one_line(name, 64),
                every_ms=int(document["every_ms"]),
                sent_ms=None if sent_ms is None else int(sent_ms),
                sent=int(document.get("sent", 0)),
                tried_ms=None if tried_ms is None else int(tried_ms),
                problem=one_line(str(document.get("problem", "")), 300),
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as exc:
            raise ValueError(f"not a heartbeat: {exc}") from exc


def read_beats(connection: Connection, keys: ShardKeys) -> tuple[Beat, ...]:
    """Return the heartbeats of a shard by name; those that cannot be read are left out."""
    found: list[Beat] = []
    for name, text in sorted(as_hash(connection.command("HGETALL", keys.heartbeats)).items()):
        try:
            found.append(Beat.from_json(name, text))
        except ValueError:
            continue
    return tuple(found)


def read_beat(connection: Connection, keys: ShardKeys, name: str) -> Beat | None:
    """Return one heartbeat; ``None`` when nothing that can be read is known of it."""
    text = connection.command("HGET", keys.heartbeats, name)
    try:
        return None if text is None else Beat.from_json(name, as_bytes(text))
    except ValueError:
        return None


def write_beat(connection: Connection, keys: ShardKeys, beat: Beat) -> None:
    document = asdict(beat)
    del document["name"]
    connection.command("HSET", keys.heartbeats, beat.name, json.dumps(document, ensure_ascii=False))


def forget_beats(connection: Connection, keys: ShardKeys, known: set[str]) -> None:
    """Delete what is known of heartbeats that are no longer configured."""
    gone = [name for name in as_hash(connection.command("HGETALL", keys.heartbeats)) if name not in known]
    if gone:
        connection.command("HDEL", keys.heartbeats, *gone)
