"""``barograph status``: what the pipeline itself is doing, as a table or as JSON."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console

from barograph_cli.failure import DONE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_cli.status_books import render_store, render_usage
from barograph_cli.status_view import render_shard
from barograph_core.errors import StreamUnavailableError
from barograph_core.events_account import EventsAccount
from barograph_core.keys import ShardKeys
from barograph_core.library import loaded_version
from barograph_core.pipeline import PipelineReader
from barograph_core.pipeline_status import GroupStatus, PipelineStatus
from barograph_core.settings import hide_password
from barograph_core.store_usage import ServiceUsage, read_service_usage
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


def as_document(
    url: str,
    library: int | None,
    shards: Sequence[ShardStatus],
    usage: Mapping[str, Sequence[ServiceUsage]] | None = None,
) -> dict[str, object]:
    """Return the status as plain values, ready for JSON. Entry ids are text.

    Args:
        url: Of the server, its password hidden.
        library: Version of the function library, ``None`` without one.
        shards: All of them.
        usage: By shard tag what each service's closed panes take; left out where there is none.
    """
    documents = [_shard_document(shard) for shard in shards]
    for document, shard in zip(documents, shards, strict=True):
        if usage and shard.tag in usage:
            document["services"] = [
                {**asdict(row), "bytes_per_series": row.bytes_per_series} for row in usage[shard.tag]
            ]
    return {"server": url, "library": library, "shards": documents}


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
        "account": None if status.account is None else account_document(status.account),
        "store": None if status.store is None else {"bytes": status.store.bytes, **asdict(status.store)},
        "streams": [
            {
                "name": stream.name,
                "key": stream.key,
                "length": stream.length,
                "added": stream.added,
                "memory_bytes": stream.memory_bytes,
                "groups": [_group_document(group) for group in stream.groups],
            }
            for stream in status.streams
        ],
        "workers": [{**asdict(worker), "facts": dict(worker.facts)} for worker in status.workers],
        "producers": [{**asdict(producer), "drops": dict(producer.drops)} for producer in status.producers],
    }


def account_document(account: EventsAccount) -> dict[str, object]:
    """Return the books on the events stream: added = committed + dead + lost + pending + unread."""
    return {**asdict(account), "last_id": str(account.last_id), "surplus": account.surplus}


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
    parser.add_argument("--memory", action="store_true", help="show what each service takes, step by step")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    options = read_server_options(arguments, os.environ)
    url = hide_password(options.server.url)
    connection = options.connect("barograph-status")
    try:
        library = loaded_version(connection)
        all_keys = read_shards(connection, options.server)
        shards = [read_shard(connection, keys) for keys in all_keys]
        usage = {keys.tag: read_service_usage(connection, keys) for keys in all_keys if arguments.memory}
    except StreamUnavailableError as error:
        raise CommandError(f"the server {url} does not answer: {error}") from error
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps(as_document(url, library, shards, usage), indent=2))
        return DONE
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(f"server [bold]{url}[/]   function library {'missing' if library is None else library}")
    for shard in shards:
        if shard.tag in usage:
            console.print(render_store(shard.pipeline.store, shard.pipeline.at_ms))
            console.print(render_usage(shard.tag, usage[shard.tag]))
        else:
            console.print(render_shard(shard.tag, shard.open_panes, shard.pipeline))
    return DONE
