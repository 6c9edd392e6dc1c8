"""The new prefix of a replay or import: unused, or left unfinished by the same command before."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from barograph_cli.failure import USAGE, CommandError
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys, meta_key
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Value
from barograph_core.server.replies import as_hash, as_int

Job: TypeAlias = Mapping[str, object]

_JOB: Final = "job"
_DONE: Final = "done"
_VERB: Final = "verb"


@dataclass(frozen=True, slots=True)
class NewPrefix:
    """A prefix that only this command writes to.

    Attributes:
        connection: To the prefix's server.
        url: URL of that server.
        layout: The shards of the prefix.
    """

    connection: Connection
    url: str
    layout: Layout

    @classmethod
    def claim(cls, connection: Connection, url: str, layout: Layout, verb: str, job: Job) -> "NewPrefix":
        """Take the prefix of ``layout``, which must be unused.

        Args:
            connection: To the server at ``url``.
            url: URL of that server.
            layout: The shards that the prefix will have; its epoch is ignored.
            verb: ``replay`` or ``import``.
            job: Description of the work for a resumed run, as values for JSON.

        Raises:
            CommandError: The prefix is in use.
        """
        marker = _marker(layout.prefix)
        _refuse_what_is_there(connection, layout, as_hash(connection.command("HGETALL", marker)))
        ensure_library(connection)
        # If two commands start at once, one of them finds the mark of the other.
        if not as_int(connection.command("HSETNX", marker, _JOB, json.dumps(job))):
            raise CommandError(f"another command has just begun in prefix {layout.prefix!r}")
        connection.command("HSET", marker, _VERB, verb, "begun_ms", read_now(connection))
        _write_layout(connection, layout)
        return cls(connection, url, read_layout(connection, layout.prefix))

    @classmethod
    def resume(cls, connection: Connection, url: str, layout: Layout, verb: str) -> tuple["NewPrefix", Job]:
        """Take the prefix of ``layout`` to resume the work that was started there; return its job.

        Raises:
            CommandError: No work or another command's was started there, or the work is finished.
        """
        prefix = layout.prefix
        held = as_hash(connection.command("HGETALL", _marker(prefix)))
        if _JOB not in held:
            raise CommandError(f"nothing was begun in prefix {prefix!r}: leave out --resume", USAGE)
        # A run killed right at the start may have stored nothing but its job.
        if _verb(held) not in (verb, ""):
            raise CommandError(f"in prefix {prefix!r} another command was at work: {_verb(held)}", USAGE)
        if _DONE in held:
            raise CommandError(f"the {verb} into prefix {prefix!r} is finished", USAGE)
        job: Job = json.loads(held[_JOB])
        ensure_library(connection)
        connection.pipeline(
            [
                ["HSET", _marker(prefix), _VERB, verb],
                ["HSETNX", _marker(prefix), "begun_ms", read_now(connection)],
            ]
        )
        _write_layout(connection, layout)
        return cls(connection, url, read_layout(connection, prefix)), job

    def finish(self, report: Mapping[str, object], from_ms: int) -> None:
        """Mark the work as finished, and store its report.

        Args:
            report: As values for JSON.
            from_ms: Where the log begins: as far back as there are panes.
        """
        times: list[Value] = ["done_ms", read_now(self.connection), "from_ms", from_ms]
        self.connection.command("HSET", _marker(self.layout.prefix), _DONE, json.dumps(report), *times)


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
    # Every pipeline that ever ran has one of these keys. Scanning all keys of a large server would take minutes.
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
