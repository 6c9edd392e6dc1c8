"""``barograph replay``: rebuilds panes from the events log in a new prefix, equal byte for byte."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from barograph_aggregator.settings import AggregatorSettings, steps_to_close
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.history.log.range_arguments import MOMENTS, add_range_arguments, has_range, join_moments, read_range
from barograph_cli.history.log.reader import refuse_without_log
from barograph_cli.history.progress import shown_progress
from barograph_cli.history.rebuild.new_prefix import NewPrefix
from barograph_cli.history.replay_job import ReplayJob, identity_of
from barograph_cli.history.replay_run import Replay, ShardReplay
from barograph_cli.options import add_server_arguments, open_connection
from barograph_core.keyspace.layout import Layout, read_layout
from barograph_core.server.connection import Connection, read_now
from barograph_core.settings.config_file import load_config
from barograph_core.settings.load import add_arguments, build_settings
from barograph_core.settings.server import ServerSettings
from barograph_core.steps import Step
from barograph_core.text.durations import format_duration
from barograph_core.text.timestamps import format_timestamp

_EPILOG = f"""\
{MOMENTS}
The settings of [aggregator] and keep must be those of the aggregators whose panes are rebuilt.
The live prefix is only read. Panes that may lack events are not written, but listed.
"""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The source, the target and the settings of a replay."""

    source: ServerSettings
    target: ServerSettings
    settings: AggregatorSettings
    steps: Sequence[Step]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph replay",
        description="Rebuild panes from the events log into a new prefix, which --prefix must name.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_range_arguments(
        parser, start="first pane (default: the log's beginning)", end="end of the last pane (default: now)"
    )
    parser.add_argument("--source-prefix", help="prefix of the log (default: as configured)")
    parser.add_argument("--target-url", help="server of the new prefix (default: that of the log)")
    parser.add_argument("--with-events", action="store_true", help="leave the events on the new prefix's stream")
    parser.add_argument("--resume", action="store_true", help="go on with a replay that was killed")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_server_arguments(parser)
    add_arguments(parser, AggregatorSettings, "aggregator")
    return parser


def _read_plan(arguments: argparse.Namespace, source_prefix: str | None) -> _Plan:
    if not arguments.prefix:
        raise CommandError("--prefix must name the new prefix", USAGE)
    config = load_config(arguments.config, os.environ)
    flags = {**vars(arguments), "prefix": source_prefix}
    source = build_settings(ServerSettings, "server", flags, os.environ, config)
    settings = build_settings(AggregatorSettings, "aggregator", flags, os.environ, config)
    steps = steps_to_close(source, settings, config)
    # Read like the source's settings, so that mistakes give the same messages.
    flags |= {"prefix": arguments.prefix, "url": arguments.target_url or source.url}
    target = build_settings(ServerSettings, "server", flags, os.environ, config)
    if (target.url, target.prefix) == (source.url, source.prefix):
        raise CommandError(f"--prefix: {target.prefix!r} is the prefix of the log itself: name a new one", USAGE)
    return _Plan(source, target, settings, steps)


def _claim(
    arguments: argparse.Namespace, plan: _Plan, source: Connection, layout: Layout, now_ms: int
) -> tuple[NewPrefix, ReplayJob]:
    identity = identity_of(plan.source, plan.settings)
    connection = open_connection(plan.target.url, "barograph-replay")
    # Use the same shards: a service's history is where the layout of its time had put it.
    copied = replace(layout, prefix=plan.target.prefix)
    if arguments.resume:
        if has_range(arguments):
            raise CommandError(
                "--resume goes on with the range that was begun: leave out --from, --to, --service", USAGE
            )
        target, document = NewPrefix.resume(connection, plan.target.url, copied, "replay")
        return target, ReplayJob.begun(document, identity, plan.target.prefix)
    wanted = read_range(arguments, now_ms)
    job = ReplayJob.plan(source, layout.shards, identity, wanted, now_ms, plan.settings, plan.steps)
    return NewPrefix.claim(connection, plan.target.url, copied, "replay", job.as_document()), job


def _document(plan: _Plan, reports: Sequence[ShardReplay]) -> dict[str, object]:
    return {
        "source_prefix": plan.source.prefix,
        "prefix": plan.target.prefix,
        "shards": [_shard(one) for one in reports],
    }


def _shard(report: ShardReplay) -> dict[str, object]:
    complete = report.complete
    return {
        "shard": report.shard,
        "from_ms": complete.from_ms,
        "to_ms": complete.to_ms,
        **asdict(report.folded),
        "not_written": [asdict(lost) for lost in report.not_written],
        "revisable_from_ms": report.revisable_from_ms,
        "places_freed_ms": report.places_freed_ms,
        "decided_anew": list(report.decided_anew),
    }


def _print_report(plan: _Plan, reports: Sequence[ShardReplay]) -> None:
    for report in reports:
        folded = report.folded
        print(
            f"shard {report.shard}: {folded.entries} entries with {folded.events} events of {plan.source.prefix} are "
            f"panes and roll-ups of {plan.target.prefix}: {folded.panes} closed, {folded.panes_revised} times revised "
            f"({folded.events_late} events late, {folded.entries_dead} entries unreadable, "
            f"{folded.series_refused} series in __other__)"
        )
        if folded.blocks_dropped:
            print(f"  {folded.blocks_dropped} blocks of panes were dropped again to stay within store_memory_bytes")
        for lost in report.not_written:
            print(
                f"  not written: panes of {format_duration(lost.step_ms)} from {format_timestamp(lost.from_ms)} "
                f"to {format_timestamp(lost.to_ms)}: {lost.reason}"
            )
        if report.revisable_from_ms is not None:
            print(f"  panes from {format_timestamp(report.revisable_from_ms)} on may still get late events")
        if report.places_freed_ms is not None:
            print(
                f"  series gave up their places at {format_timestamp(report.places_freed_ms)}: in panes before that, "
                "others may have counted as __other__"
            )
        if report.decided_anew:
            print(
                f"  which series are kept apart was decided again for {', '.join(report.decided_anew)}: no list is left"
            )


def run(argv: list[str]) -> int:
    """Run ``barograph replay``."""
    arguments = _parser().parse_args(join_moments(argv))
    plan = _read_plan(arguments, arguments.source_prefix)
    source = open_connection(plan.source.url, "barograph-replay")
    now_ms = read_now(source)
    layout = read_layout(source, plan.source.prefix)
    refuse_without_log(source, layout.shards, plan.source.prefix)
    target, job = _claim(arguments, plan, source, layout, now_ms)
    work = Replay(source, layout.shards, target, job, plan.settings, plan.steps, arguments.with_events)
    try:
        with shown_progress("replay", 1.0) as advance:
            reports = work.run(now_ms, lambda share, at_ms: advance(share, format_timestamp(at_ms)))
    except KeyboardInterrupt:
        raise CommandError("stopped; --resume goes on") from None
    target.finish(_document(plan, reports), min((one.complete.from_ms for one in reports), default=now_ms))
    if arguments.json:
        print(json.dumps(_document(plan, reports), indent=2))
    else:
        _print_report(plan, reports)
    return DONE
