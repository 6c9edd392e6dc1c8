"""``barograph import``: a file of events, or an access log, back as a stream with its own times, folded into panes."""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

from barograph_aggregator.settings import AggregatorSettings, steps_to_close
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.history.access_log import LogColumns, Template, parse_column, read_access_log
from barograph_cli.history.folded import Folded
from barograph_cli.history.import_run import Importer, RowCount, RowReader
from barograph_cli.history.jsonl_file import read_jsonl
from barograph_cli.history.new_prefix import NewPrefix
from barograph_cli.history.parquet_file import read_parquet
from barograph_cli.history.progress import shown_progress
from barograph_cli.history.row_reading import BadRowError, Document, RowDefaults
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_cli.server_clock import read_now
from barograph_core.durations import format_duration
from barograph_core.keys import is_service_name
from barograph_core.layout import Layout, spread_tags
from barograph_core.settings import ServerSettings, add_arguments, build_settings
from barograph_core.stream import Connection

Format = Literal["jsonl", "parquet", "csv"]

_VERB: Final = "import"
# Kept with what was to be done: when the newest row may be from.
_LATEST: Final = "latest_ms"
_STANDARD_INPUT: Final = "-"
_BY_ENDING: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
}
_EPILOG = """\
The prefix must be a new one: a live log goes on at its own time, and events of the past would be late there.
Rows that name their entry_id, as exported ones do, arrive as they did then; others when the newest event up to
them happened. A CSV file needs the columns time, method, route or path, status and a duration, or --column:
  --column time_s=ts --column duration_s=request_time --column path=uri --column label.region=zone
The endings _s, _ms and _us say the unit; time without one is ISO 8601.
"""


@dataclass(frozen=True, slots=True)
class _Input:
    """A file, and how it is read."""

    name: str
    format: Format
    columns: LogColumns
    service: str | None

    def rows(self, source: BinaryIO) -> Iterable[tuple[int, Document | BadRowError]]:
        if self.format == "csv":
            return read_access_log(source, self.columns)
        return read_parquet(source) if self.format == "parquet" else read_jsonl(source)

    def job(self, size: int | None, settings: AggregatorSettings, keep: str) -> dict[str, object]:
        """Return what decides the outcome."""
        return {
            "file": Path(self.name).name,
            "bytes": size,
            "format": self.format,
            "service": self.service,
            "columns": dict(self.columns.headers),
            "routes": [template.text for template in self.columns.templates],
            "keep": keep,
            "allowed_lateness_ms": settings.allowed_lateness_ms,
            "max_future_ms": settings.max_future_ms,
            "series_cap": settings.series_cap,
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph import",
        description="Bring events back as a stream with their own times, folded into panes of a new prefix (--prefix).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", help="file to read; - for standard input")
    parser.add_argument(
        "--format", choices=["auto", "jsonl", "parquet", "csv"], default="auto", help="default: by name"
    )
    parser.add_argument("--service", help="service of the rows that name none")
    parser.add_argument("--column", action="append", default=[], metavar="FIELD=HEADER", help="where a field is in CSV")
    parser.add_argument(
        "--route", action="append", default=[], metavar="TEMPLATE", help="CSV: paths like /users/{id} become this route"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row")
    parser.add_argument("--with-events", action="store_true", help="leave the events on the stream")
    parser.add_argument("--resume", action="store_true", help="go on with an import that was killed")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_server_arguments(parser)
    add_arguments(parser, AggregatorSettings, "aggregator")
    return parser


def _read_input(arguments: argparse.Namespace) -> _Input:
    name: str = arguments.file
    chosen = arguments.format if arguments.format != "auto" else _BY_ENDING.get(Path(name).suffix.lower())
    if chosen is None:
        raise CommandError(f"cannot tell the format of {name!r}: name it with --format", USAGE)
    if chosen != "csv" and (arguments.column or arguments.route):
        raise CommandError("--column and --route are for CSV", USAGE)
    if arguments.service is not None and not is_service_name(arguments.service):
        raise CommandError(f"--service: {arguments.service!r} is not 1 to 64 of A-Z a-z 0-9 . _ -", USAGE)
    try:
        headers = dict(parse_column(text) for text in arguments.column)
    except ValueError as error:
        raise CommandError(f"--column: {error}", USAGE) from error
    templates = [Template(text) for text in arguments.route]
    return _Input(name, cast("Format", chosen), LogColumns(headers, templates), arguments.service)


@contextmanager
def _opened(name: str) -> Generator[tuple[BinaryIO, int | None], None, None]:
    """Yield the file and its size in bytes, ``None`` for standard input."""
    if name == _STANDARD_INPUT:
        yield sys.stdin.buffer, None
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - an error of the block is not one of opening
    except OSError as error:
        raise CommandError(f"cannot read {name}: {error.strerror}", USAGE) from error
    with file:
        yield file, os.fstat(file.fileno()).st_size


def _resume(connection: Connection, server: ServerSettings, job: Mapping[str, object]) -> tuple[NewPrefix, int]:
    """Take what was begun in the prefix, and its bound: by another one, other rows would be bad than were then."""
    target, begun = NewPrefix.resume(connection, server.url, _layout(server), _VERB)
    for name, value in job.items():
        if begun.get(name) != value:
            raise CommandError(
                f"the import into prefix {server.prefix!r} was begun with {name} {begun.get(name)!r}, not {value!r}",
                USAGE,
            )
    return target, cast("int", begun[_LATEST])


def _layout(server: ServerSettings) -> Layout:
    return Layout(server.prefix, tags=spread_tags(server.shards))


def _instance(job: Mapping[str, object]) -> str:
    # The same when it goes on, and another for another file.
    return f"import:{hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:16]}"


def _lines(count: RowCount, folded: Mapping[str, Folded], prefix: str) -> list[str]:
    entries = sum(one.entries for one in folded.values())
    panes = sum(one.panes for one in folded.values())
    made = f"{entries} entries closed {panes} panes and roll-ups in {prefix}"
    if not folded:
        made = f"nothing was written to {prefix}"
    lines = [f"{count.good} rows of events, {count.bad} bad rows; {made}"]
    lines += [f"  line {bad.line}: {bad.reason}" for bad in count.first_bad]
    if count.bad > len(count.first_bad):
        lines.append(f"  and {count.bad - len(count.first_bad)} more")
    dropped = sum(one.blocks_dropped for one in folded.values())
    if dropped:
        lines.append(f"  {dropped} blocks of panes were dropped again to stay within store_memory_bytes")
    return lines


def _warn_of_late(folded: Mapping[str, Folded], settings: AggregatorSettings) -> None:
    """Say on standard error that rows did not count: a log that is not in order by time loses most of them."""
    late = sum(one.events_late for one in folded.values())
    if late:
        bound = format_duration(settings.allowed_lateness_ms)
        print(
            f"barograph import: {late} events did not count: they came more than {bound} after their time, or too "
            "early; rows without entry_id must be in order, oldest first",
            file=sys.stderr,
        )


def _import(
    arguments: argparse.Namespace, options: ServerOptions, settings: AggregatorSettings, source: _Input
) -> tuple[RowCount, dict[str, Folded]]:
    """Import what is in the file. One without a good row leaves no prefix behind."""
    steps = steps_to_close(options.server, settings, options.config)
    with _opened(source.name) as (file, size), shown_progress("import", size) as advance:
        rows = source.rows(file)
        job = source.job(size, settings, options.server.keep)
        connection = options.connect("barograph-import")
        target: NewPrefix | None = None
        latest_ms = read_now(connection) + settings.max_future_ms
        if arguments.resume:
            target, latest_ms = _resume(connection, options.server, job)
        reader = RowReader(RowDefaults(source.service, _instance(job)), latest_ms, arguments.strict)
        events = reader.read(rows)
        first = next(events, None)
        if first is None:
            return reader.count, {}
        if target is None:
            target = NewPrefix.claim(
                connection, options.server.url, _layout(options.server), _VERB, {**job, _LATEST: latest_ms}
            )
        importer = Importer(target, settings, steps, keeps_events=arguments.with_events)
        try:
            folded = importer.run(
                chain([first], events),
                lambda: advance(0 if size is None else file.tell(), f"{reader.count.good} rows"),
            )
        except KeyboardInterrupt:
            raise CommandError("stopped; --resume goes on") from None
        target.finish(_document(options.server.prefix, reader.count, folded))
    return reader.count, folded


def _document(prefix: str, count: RowCount, folded: Mapping[str, Folded]) -> dict[str, object]:
    return {"prefix": prefix, **asdict(count), "shards": {tag: asdict(one) for tag, one in folded.items()}}


def run(argv: list[str]) -> int:
    """Run ``barograph import``."""
    arguments = _parser().parse_args(argv)
    options = read_server_options(arguments, os.environ)
    settings = build_settings(AggregatorSettings, "aggregator", vars(arguments), os.environ, options.config)
    if not arguments.prefix:
        raise CommandError("--prefix must name a new prefix", USAGE)
    count, folded = _import(arguments, options, settings, _read_input(arguments))
    prefix = options.server.prefix
    if arguments.json:
        print(json.dumps(_document(prefix, count, folded), indent=2))
    else:
        print("\n".join(_lines(count, folded, prefix)))
    _warn_of_late(folded, settings)
    return DONE if count.good else FAILED
