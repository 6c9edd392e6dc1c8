"""``barograph status``: what the pipeline itself is doing, as a table or as JSON."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from barograph_cli.failure import DONE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_cli.status_view import render_shard
from barograph_core.errors import StreamUnavailableError
from barograph_core.keys import ShardKeys
from barograph_core.library import loaded_version
from barograph_core.pipeline import PipelineReader
from barograph_core.pipeline_status import GroupStatus, PipelineStatus
from barograph_core.settings import hide_password
from barograph_core.stream import Connection, as_int

PIPE_WIDTH = 140


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard: what core reads of it, and how many panes wait to be closed."""

    tag: str
    open_panes: int
    pipeline: PipelineStatus


def read_shard(connection: Connection, keys: ShardKeys) -> ShardStatus:
    """Return the status of one shard.

    Raises:
        BarographError: The server is gone or refuses.
    """
    open_panes = as_int(connection.command("ZCARD", keys.open))
    return ShardStatus(keys.tag, open_panes, PipelineReader(connection, keys).read())


def as_document(url: str, library: int | None, shards: Sequence[ShardStatus]) -> dict[str, object]:
    """Return the status as plain values, ready for JSON. Entry ids are text."""
    return {"server": url, "library": library, "shards": [_shard_document(shard) for shard in shards]}


def _shard_document(shard: ShardStatus) -> dict[str, object]:
    status = shard.pipeline
    return {
        "shard": shard.tag,
        "at_ms": status.at_ms,
        "watermark_ms": status.watermark_ms,
        "watermark_age_ms": status.watermark_age_ms,
        "open_panes": shard.open_panes,
        "dead_letters": status.dead_letters,
        "closed_through_ms": dict(status.closed),
        "streams": [
            {
                "name": stream.name,
                "key": stream.key,
                "length": stream.length,
                "added": stream.added,
                "groups": [_group_document(group) for group in stream.groups],
            }
            for stream in status.streams
        ],
        "workers": [{**asdict(worker), "facts": dict(worker.facts)} for worker in status.workers],
        "producers": [{**asdict(producer), "drops": dict(producer.drops)} for producer in status.producers],
    }


def _group_document(group: GroupStatus) -> dict[str, object]:
    return {
        "name": group.name,
        "last_delivered": str(group.last_delivered),
        "unread": group.unread,
        "unread_is_at_least": group.is_capped,
        "pending": group.pending,
        "oldest_pending": None if group.oldest_pending is None else str(group.oldest_pending),
        "lag_ms": group.lag_ms,
        "consumers": [asdict(consumer) for consumer in group.consumers],
    }


def run(argv: list[str]) -> int:
    """Run ``barograph status``."""
    parser = argparse.ArgumentParser(prog="barograph status", description="Show what the pipeline is doing.")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    options = read_server_options(arguments, os.environ)
    url = hide_password(options.server.url)
    connection = options.connect("barograph-status")
    try:
        library = loaded_version(connection)
        shards = [read_shard(connection, keys) for keys in read_shards(connection, options.server)]
    except StreamUnavailableError as error:
        raise CommandError(f"the server {url} does not answer: {error}") from error
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps(as_document(url, library, shards), indent=2))
        return DONE
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(f"server [bold]{url}[/]   function library {'missing' if library is None else library}")
    for shard in shards:
        console.print(render_shard(shard.tag, shard.open_panes, shard.pipeline))
    return DONE
