"""``barograph export``: writes the events of the log as rows of a file, JSON Lines or Parquet."""

import argparse
import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final, Literal, Protocol, cast

from barograph_aggregator.settings import AggregatorSettings
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.history.export_run import Exporter, ExportReport
from barograph_cli.history.log.range_arguments import MOMENTS, add_range_arguments, join_moments, read_range
from barograph_cli.history.log.reader import refuse_without_log
from barograph_cli.history.progress import shown_progress
from barograph_cli.history.rows.event_row import EventRow
from barograph_cli.history.rows.jsonl_file import JsonlWriter
from barograph_cli.history.rows.parquet_file import ParquetWriter
from barograph_cli.options import add_server_arguments, read_server_options, read_shards
from barograph_core.server.connection import read_now
from barograph_core.settings.load import add_arguments, build_settings
from barograph_core.text.timestamps import format_timestamp

Format = Literal["jsonl", "parquet"]

STANDARD_OUTPUT: Final = "-"


class Writer(Protocol):
    """Writes rows to a file."""

    def write(self, rows: Sequence[EventRow], /) -> None: ...

    def close(self) -> None:
        """Write the buffered rows. The underlying stream stays open."""
        ...


@contextmanager
def _opened(output: str) -> Generator[BinaryIO, None, None]:
    """Yield the file to write. It gets its name when it is complete, so that no one finds half a file."""
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph export",
        description="Write the events of the log as rows, in the order in which they came.",
        epilog=MOMENTS,
        allow_abbrev=False,
    )
    parser.add_argument("--output", required=True, help="file to write; - for standard output")
    parser.add_argument("--format", choices=["jsonl", "parquet"], help="default: by the file's name, else jsonl")
    add_range_arguments(
        parser, start="time of the first event (default: all that are there)", end="end of the range, not in it"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_server_arguments(parser)
    add_arguments(parser, AggregatorSettings, "aggregator")
    return parser


def _check_output(output: str, file_format: Format) -> None:
    if output == STANDARD_OUTPUT:
        if file_format == "parquet" and sys.stdout.isatty():
            raise CommandError("--output: Parquet is not for a terminal: name a file", USAGE)
    elif not Path(output).name or Path(output).is_dir():
        raise CommandError(f"--output: {output!r} is not the name of a file", USAGE)


def _choose_format(arguments: argparse.Namespace) -> Format:
    if arguments.format:
        return cast("Format", arguments.format)
    return "parquet" if Path(arguments.output).suffix == ".parquet" else "jsonl"


def _document(report: ExportReport) -> dict[str, object]:
    after = report.log_begins_after
    return {**asdict(report), "log_begins_after": None if after is None else str(after)}


def _lines(report: ExportReport, output: str) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.by_kind.items())
    lines = [f"{report.rows} rows ({kinds or 'none'}) of {report.entries} entries into {output}"]
    if report.unreadable:
        lines.append(f"{report.unreadable} entries are no event batches and were left out")
    if report.log_begins_after is not None:
        lines.append(f"the log is whole only after {format_timestamp(report.log_begins_after.ms)}")
    return lines


def run(argv: list[str]) -> int:
    """Run ``barograph export``."""
    arguments = _parser().parse_args(join_moments(argv))
    options = read_server_options(arguments, os.environ)
    settings = build_settings(AggregatorSettings, "aggregator", vars(arguments), os.environ, options.config)
    file_format = _choose_format(arguments)
    _check_output(arguments.output, file_format)
    connection = options.connect("barograph-export")
    wanted = read_range(arguments, read_now(connection))
    shards = read_shards(connection, options.server)
    refuse_without_log(connection, shards, options.server.prefix)
    exporter = Exporter(connection, shards, wanted, settings.series_cap)
    with _opened(arguments.output) as file, shown_progress("export", 1.0) as advance:
        writer: Writer = ParquetWriter(file) if file_format == "parquet" else JsonlWriter(file)
        report = exporter.run(writer.write, lambda share, at_ms: advance(share, format_timestamp(at_ms)))
        writer.close()
    connection.close()
    # Standard output receives only the rows, so that they can be piped.
    report_to = sys.stderr if arguments.output == STANDARD_OUTPUT else sys.stdout
    if arguments.json:
        print(json.dumps(_document(report), indent=2), file=report_to)
    else:
        print("\n".join(_lines(report, arguments.output)), file=report_to)
    return DONE
