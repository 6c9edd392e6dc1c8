"""What an import is to do, as its prefix remembers it: a resumed one must do the same."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import USAGE, CommandError
from barograph_cli.history.import_input import ImportInput
from barograph_cli.history.rebuild.new_prefix import NewPrefix
from barograph_core.keyspace.layout import Layout, spread_tags
from barograph_core.server.connection import Connection
from barograph_core.settings.server import ServerSettings

VERB: Final = "import"
# Stored with the job: the latest time that a row may have.
LATEST: Final = "latest_ms"


def job_of(source: ImportInput, service: str, settings: AggregatorSettings, keep: str) -> dict[str, object]:
    """Return the values that decide the outcome; a resumed import must have the same."""
    return {
        "file": Path(source.name).name,
        "bytes": source.size(),
        "format": source.format,
        "service": service,
        "columns": dict(source.columns.headers),
        "routes": [template.text for template in source.columns.templates],
        "keep": keep,
        "allowed_lateness_ms": settings.allowed_lateness_ms,
        "max_future_ms": settings.max_future_ms,
        "series_cap": settings.series_cap,
    }


def resume(connection: Connection, server: ServerSettings, job: Mapping[str, object]) -> tuple[NewPrefix, int]:
    """Take the unfinished prefix and its latest time: with another latest time, other rows would be bad."""
    target, begun = NewPrefix.resume(connection, server.url, layout_of(server), VERB)
    for name, value in job.items():
        if begun.get(name) != value:
            raise CommandError(
                f"the import into prefix {server.prefix!r} was begun with {name} {begun.get(name)!r}, not {value!r}",
                USAGE,
            )
    return target, cast("int", begun[LATEST])


def layout_of(server: ServerSettings) -> Layout:
    """Return the shards that the new prefix will have."""
    return Layout(server.prefix, tags=spread_tags(server.shards))


def instance_of(job: Mapping[str, object]) -> str:
    """Return the producer of rows that name none: the same in a resumed import, and another for another file."""
    return f"import:{hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]}"
