"""A prefix of its own for panes that are rebuilt: fresh, or left unfinished by the same work before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from barograph_cli.failure import USAGE, CommandError
from barograph_core.keys import ShardKeys, meta_key
from barograph_core.layout import Layout, read_layout
from barograph_core.library import ensure_library
from barograph_core.stream import Connection, Value, as_hash, as_int

Job: TypeAlias = Mapping[str, object]

_JOB: Final = "job"
_DONE: Final = "done"
_VERB: Final = "verb"


@dataclass(frozen=True, slots=True)
class NewPrefix:
    """A prefix that this work has to itself.

    Attributes:
        url: Of its server.
        layout: Its shards.
    """

    connection: Connection
    url: str
    layout: Layout

    @classmethod
    def claim(cls, connection: Connection, url: str, layout: Layout, verb: str, job: Job) -> "NewPrefix":
        """Take the prefix of ``layout``, in which nothing may be.

        Args:
            connection: To the server at ``url``.
            url: As said.
            layout: Which shards the prefix is to have; its epoch does not matter.
            verb: ``replay`` or ``import``.
            job: What is to be done, for who goes on with it; fit for JSON.

        Raises:
            CommandError: Something is there already.
        """
        marker = _marker(layout.prefix)
        _refuse_what_is_there(connection, layout, as_hash(connection.command("HGETALL", marker)))
        ensure_library(connection)
        # Two that begin at once: one finds the other's mark.
        if not as_int(connection.command("HSETNX", marker, _JOB, json.dumps(job))):
            raise CommandError(f"somebody else has just begun in prefix {layout.prefix!r}")
        connection.command("HSET", marker, _VERB, verb)
        _write_layout(connection, layout)
        return cls(connection, url, read_layout(connection, layout.prefix))

    @classmethod
    def resume(cls, connection: Connection, url: str, layout: Layout, verb: str) -> tuple["NewPrefix", Job]:
        """Take the prefix of ``layout`` to go on with what was begun there; return what that was.

        Raises:
            CommandError: Nothing was begun there, or something else, or it is finished.
        """
        prefix = layout.prefix
        held = as_hash(connection.command("HGETALL", _marker(prefix)))
        if _JOB not in held:
            raise CommandError(f"nothing was begun in prefix {prefix!r}: leave out --resume", USAGE)
        # Killed at the very beginning, it may not have said more than what it was to do.
        if _verb(held) not in (verb, ""):
            raise CommandError(f"in prefix {prefix!r} another command was at work: {_verb(held)}", USAGE)
        if _DONE in held:
            raise CommandError(f"the {verb} into prefix {prefix!r} is finished", USAGE)
        job: Job = json.loads(held[_JOB])
        ensure_library(connection)
        connection.command("HSET", _marker(prefix), _VERB, verb)
        _write_layout(connection, layout)
        return cls(connection, url, read_layout(connection, prefix)), job

    def finish(self, report: Mapping[str, object]) -> None:
        """Note that all is done, and what came of it."""
        self.connection.command("HSET", _marker(self.layout.prefix), _DONE, json.dumps(report))


def _marker(prefix: str) -> str:
    return ShardKeys(prefix, "0").rebuild


def _verb(held: Mapping[str, bytes]) -> str:
    return held.get(_VERB, b"").decode(errors="replace")


def _refuse_what_is_there(connection: Connection, layout: Layout, held: Mapping[str, bytes]) -> None:
    prefix = layout.prefix
    if held:
        state = "finished: name another prefix" if _DONE in held else "not finished: go on with --resume"
        raise CommandError(f"prefix {prefix!r} holds the outcome of {_verb(held) or 'a command'}, {state}", USAGE)
    keys = [meta_key(prefix)]
    # Every pipeline that ever ran has one of these; looking at all keys of a large server would take minutes.
    for shard in {ShardKeys(prefix, "0"), *layout.shards}:
        keys += [shard.events, shard.metrics, shard.alerts, shard.deliveries, shard.dead]
        keys += [shard.open, shard.rollups, shard.closed, shard.progress, shard.workers]
    for key in keys:
        if as_int(connection.command("EXISTS", key)):
            raise CommandError(f"prefix {prefix!r} is in use (there is {key}): name one that is not", USAGE)


def _write_layout(connection: Connection, layout: Layout) -> None:
    pins: list[Value] = [item for pair in layout.pins.items() for item in pair]
    connection.call(
        "baro_layout_1", [meta_key(layout.prefix)], [0, 0, ",".join(layout.tags), ",".join(layout.extra), *pins]
    )
