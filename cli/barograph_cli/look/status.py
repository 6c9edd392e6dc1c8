"""``barograph status``: the state of the pipeline itself, as a table or as JSON."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console

from barograph_cli.failure import DONE, CommandError
from barograph_cli.look.status_account import render_store, render_usage
from barograph_cli.look.status_view import render_shard
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_core.errors import StreamUnavailableError
from barograph_core.functions.library import loaded_version
from barograph_core.pipeline.document import shard_document
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.pipeline.status import PipelineStatus
from barograph_core.settings.secrets import hide_password
from barograph_core.store.usage import ServiceUsage, read_service_usage

PIPE_WIDTH = 140


def as_document(
    url: str,
    library: int | None,
    shards: Sequence[PipelineStatus],
    usage: Mapping[str, Sequence[ServiceUsage]] | None = None,
) -> dict[str, object]:
    """Return the status as plain values, ready for JSON.

    Args:
        url: Of the server, its password hidden.
        library: Version of the function library, ``None`` without one.
        shards: All of them.
        usage: By shard tag what each service's closed panes take; left out where there is none.
    """
    documents = [shard_document(shard) for shard in shards]
    for document, shard in zip(documents, shards, strict=True):
        if usage and shard.shard in usage:
            document["memory"] = [
                {**asdict(row), "bytes_per_series": row.bytes_per_series} for row in usage[shard.shard]
            ]
    return {"server": url, "library": library, "shards": documents}


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
        shards = [PipelineReader(connection, keys).read() for keys in all_keys]
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
        if shard.shard in usage:
            console.print(render_store(shard.store, shard.at_ms))
            console.print(render_usage(shard.shard, usage[shard.shard]))
        else:
            console.print(render_shard(shard))
    return DONE
