"""``barograph import``: brings a file of events or an access log back as a stream, and folds it into panes."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import cast

from barograph_aggregator.settings import AggregatorSettings, steps_to_close
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.history.import_input import FORMATS, Format, ImportInput
from barograph_cli.history.import_job import LATEST, VERB, instance_of, job_of, layout_of, resume
from barograph_cli.history.import_report import lost_lines, report_document, report_lines
from barograph_cli.history.import_run import Importer, RowCount, RowReader
from barograph_cli.history.progress import shown_progress
from barograph_cli.history.rebuild.fold import Folded
from barograph_cli.history.rebuild.new_prefix import NewPrefix
from barograph_cli.history.row_order import in_order, is_in_order
from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.notes import Notes
from barograph_cli.history.rows.request_fields import LogColumns, Template, parse_column
from barograph_cli.history.rows.row_reading import RowDefaults
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options
from barograph_core.events.kinds import is_service_name
from barograph_core.server.connection import read_now
from barograph_core.settings.load import add_arguments, build_settings

_EPILOG = """\
Files of events are JSON Lines or Parquet, as barograph export writes them, also after pandas, Polars, DuckDB or Spark.
Access logs are nginx's and Apache's (common, combined), or CSV, JSON Lines or Parquet with a time, method, path and
status, and a duration if there is one, under the usual names or those of --column:
  --column time_s=ts --column duration_s=took --column path=page --column label.region=zone
The endings _s, _ms and _us say the unit; time without one tells it itself. Compressed files (gzip) and folders are
read as well, and rows that are not in order by time are put in order. Rows that name their entry_id, as exported ones
do, arrive as they did then.
The prefix must be a new one: a live log goes on at its own time, and events of the past would be late there.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph import",
        description="Bring events back as a stream with their own times, folded into panes of a new prefix (--prefix, "
        "by default import- and the file's name).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", help="file or folder to read; - for standard input")
    parser.add_argument("--format", choices=["auto", *FORMATS], default="auto", help="default: by content")
    parser.add_argument("--service", help="service of the rows that name none; default: the file's name")
    parser.add_argument(
        "--column", action="append", default=[], metavar="FIELD=HEADER", help="access logs: which column a field is"
    )
    parser.add_argument(
        "--route",
        action="append",
        default=[],
        metavar="TEMPLATE",
        help="access logs: paths like /users/{id} become this route",
    )
    parser.add_argument(
        "--strict", action="store_true", help="stop at the first bad row, of a file before anything is written"
    )
    parser.add_argument("--with-events", action="store_true", help="leave the events on the stream")
    parser.add_argument("--resume", action="store_true", help="go on with an import that was killed")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_server_arguments(parser)
    add_arguments(parser, AggregatorSettings, "aggregator")
    return parser


def _read_input(arguments: argparse.Namespace) -> ImportInput:
    if arguments.service is not None and not is_service_name(arguments.service):
        raise CommandError(f"--service: {arguments.service!r} is not 1 to 64 of A-Z a-z 0-9 . _ -", USAGE)
    try:
        headers = dict(parse_column(text) for text in arguments.column)
    except ValueError as error:
        raise CommandError(f"--column: {error}", USAGE) from error
    chosen = None if arguments.format == "auto" else cast("Format", arguments.format)
    columns = LogColumns(headers, [Template(text) for text in arguments.route])
    return ImportInput(arguments.file, chosen, columns, Notes())


@dataclass(frozen=True, slots=True)
class _Import:
    """One import into the prefix of ``options``."""

    options: ServerOptions
    settings: AggregatorSettings
    source: ImportInput
    service: str
    is_strict: bool
    keeps_events: bool
    resumes: bool

    def run(self) -> tuple[RowCount, dict[str, Folded]]:
        """Import. A source without a good row leaves no prefix behind."""
        server = self.options.server
        steps = steps_to_close(server, self.settings, self.options.config)
        job = job_of(self.source, self.service, self.settings, server.keep)
        connection = self.options.connect("barograph-import")
        target: NewPrefix | None = None
        latest_ms = read_now(connection) + self.settings.max_future_ms
        if self.resumes:
            target, latest_ms = resume(connection, server, job)
        must_sort = self._must_sort(job, latest_ms)
        with shown_progress("import", self.source.size()) as advance:
            reader = self._reader(job, latest_ms)
            events = self._events(reader, lambda at: advance(at, f"{reader.count.good} rows"))
            first = next(events, None)
            if first is None:
                return reader.count, {}
            if target is None:
                document = {**job, LATEST: latest_ms}
                target = NewPrefix.claim(connection, server.url, layout_of(server), VERB, document)
            rows = chain([first], events)
            importer = Importer(target, self.settings, steps, keeps_events=self.keeps_events)
            try:
                folded = importer.run(in_order(rows) if must_sort else rows)
            except KeyboardInterrupt:
                raise CommandError("stopped; --resume goes on") from None
        reader.count.was_sorted = must_sort
        report = report_document(server.prefix, reader.count, self.source.notes, folded)
        target.finish(report, reader.count.first_ms or 0)
        return reader.count, folded

    def _must_sort(self, job: Mapping[str, object], latest_ms: int) -> bool:
        """Read everything once, before anything is written, and say whether it is out of order.

        Raises:
            CommandError: A row is bad and that is not allowed.
        """
        if not self.source.is_repeatable:
            return False
        with shown_progress("look", self.source.size()) as advance:
            reader = self._reader(job, latest_ms)
            events = self._events(reader, lambda at: advance(at, f"{reader.count.good} rows"))
            must_sort = not is_in_order(events, self.settings.allowed_lateness_ms)
        # They are counted again.
        self.source.notes.clear()
        return must_sort

    def _reader(self, job: Mapping[str, object], latest_ms: int) -> RowReader:
        defaults = RowDefaults(self.service, instance_of(job))
        return RowReader(defaults, latest_ms, self.is_strict, notes=self.source.notes)

    def _events(self, reader: RowReader, advance: Callable[[int], None]) -> Iterator[EventRow]:
        for file, rows in self.source.read(advance):
            yield from reader.read(rows, file)


def run(argv: list[str]) -> int:
    """Run ``barograph import``."""
    arguments = _parser().parse_args(argv)
    source = _read_input(arguments)
    arguments.prefix = arguments.prefix or f"import-{source.stem}"
    options = read_server_options(arguments, os.environ)
    settings = build_settings(AggregatorSettings, "aggregator", vars(arguments), os.environ, options.config)
    count, folded = _Import(
        options,
        settings,
        source,
        service=arguments.service or source.stem,
        is_strict=arguments.strict,
        keeps_events=arguments.with_events,
        resumes=arguments.resume,
    ).run()
    if arguments.json:
        print(json.dumps(report_document(options.server.prefix, count, source.notes, folded), indent=2))
    else:
        print("\n".join(report_lines(options.server.prefix, count, source.notes, folded)))
    lost = lost_lines(count, folded, settings)
    for line in lost:
        print(f"barograph import: {line}", file=sys.stderr)
    # What a row with an entry_id lost, it had lost on its own log too.
    is_whole = not lost or (count.was_stamped and not any(one.entries_dead for one in folded.values()))
    return DONE if count.good and is_whole else FAILED
