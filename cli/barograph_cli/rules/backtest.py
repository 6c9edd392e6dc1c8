"""``barograph rules backtest``: what rules would have done in the past. It reads, and writes nothing."""

import argparse
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_alerter.rules.rule import Rule
from barograph_alerter.trial.episodes import LabelledWindow
from barograph_alerter.trial.recording import Recording
from barograph_alerter.trial.replay import replay
from barograph_alerter.trial.report import RuleReport, rule_report
from barograph_alerter.trial.stored import read_recording
from barograph_alerter.trial.sweep import SweepError, with_threshold
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.history.log.range_arguments import MOMENTS, TimeRange, add_range_arguments, join_moments, read_range
from barograph_cli.options import ServerOptions, add_server_arguments, read_server_options, read_shards
from barograph_cli.rules.backtest_text import print_reports
from barograph_cli.rules.event_file import read_recordings
from barograph_cli.rules.recorded_alerts import read_transitions
from barograph_cli.rules.test import load_rules
from barograph_cli.rules.windows_file import read_windows
from barograph_core.alerts.transition import Transition
from barograph_core.clock import SystemClock
from barograph_core.settings.config_file import load_config, suggestion
from barograph_core.store.pane_store import PaneStore

_ALERTS: Final = "alerts"
_DAY_MS: Final = 86_400_000
_MOST_VALUES: Final = 100


@dataclass(frozen=True, slots=True)
class _Past:
    """What the rules are tried on.

    Attributes:
        recorded: Entries of the alerts stream, where they are compared with.
    """

    recordings: Sequence[Recording]
    recorded: Sequence[Transition] | None = None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph rules backtest",
        description="Judge recorded panes, or the events of a file, by the rules. Event time is the only clock.",
        epilog=MOMENTS,
        allow_abbrev=False,
    )
    parser.add_argument("--input", metavar="FILE", help="events of a file (barograph export) instead of the store")
    parser.add_argument("--rules", metavar="FILE", help="configuration with the rules (default: --config)")
    parser.add_argument("--rule", action="append", default=[], metavar="NAME", help="only this rule; repeatable")
    parser.add_argument(
        "--set", metavar="threshold=V,…", help="try these thresholds of one rule: a list, or FROM:TO:STEP"
    )
    parser.add_argument(
        "--against", action="append", default=[], metavar="FILE",
        help="labelled windows (JSON; FILE#KEY for one list of it), or 'alerts' for the recorded alerts",
    )  # fmt: skip
    add_range_arguments(
        parser, start="first moment (default: a day ago; of a file: its first event)", end="last moment"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_server_arguments(parser)
    return parser


def read_values(text: str | None) -> tuple[float, ...]:
    """Return the thresholds of ``--set threshold=…``.

    Raises:
        CommandError: It has another form.
    """
    if text is None:
        return ()
    name, _, values = text.partition("=")
    try:
        if name != "threshold":
            raise ValueError(f"{name!r} cannot be set")
        if ":" in values:
            first, last, step = map(float, values.split(":"))
            count = math.floor((last - first) / step + 1e-9) + 1 if step else 0
            found = tuple(round(first + index * step, 12) for index in range(min(count, _MOST_VALUES + 1)))
        else:
            found = tuple(map(float, values.split(",")))
        if not 0 < len(found) <= _MOST_VALUES:
            raise ValueError(f"1 to {_MOST_VALUES} values are tried")
    except (ValueError, OverflowError) as error:
        raise CommandError(f"--set: {error}; write threshold=0.03,0.05 or threshold=100:1000:100", USAGE) from error
    return found


def _rules(arguments: argparse.Namespace, options: ServerOptions) -> list[Rule]:
    config = options.config if arguments.rules is None else load_config(arguments.rules, os.environ)
    rules = load_rules(config)
    names = [rule.name for rule in rules]
    for name in arguments.rule:
        if name not in names:
            raise CommandError(f"--rule: there is no rule {name!r}{suggestion(name, names)}", USAGE)
    return [rule for rule in rules if not arguments.rule or rule.name in arguments.rule]


def _past(arguments: argparse.Namespace, options: ServerOptions, rules: Sequence[Rule]) -> _Past:
    if arguments.input is not None:
        wanted = read_range(arguments, SystemClock().now_ms())
        found = read_recordings(arguments.input, wanted.from_ms, wanted.to_ms)
        return _Past([one for one in found if not wanted.services or one.service in wanted.services])
    connection = options.connect("barograph-rules")
    try:
        shards = read_shards(connection, options.server)
        stores = [(keys, PaneStore(connection, keys, options.server.steps)) for keys in shards]
        now_ms = stores[0][1].server_ms()
        asked = read_range(arguments, now_ms)
        wanted = TimeRange(now_ms - _DAY_MS if asked.from_ms is None else asked.from_ms, asked.to_ms, asked.services)
        from_ms, to_ms = wanted.from_ms or 0, now_ms if wanted.to_ms is None else wanted.to_ms
        recordings: list[Recording] = []
        for _, store in stores:
            for service in store.services():
                looks = [look for rule in rules if rule.applies_to(service) for look in rule.looks]
                if looks and (not wanted.services or service in wanted.services):
                    recordings.append(read_recording(store, options.server.steps, service, from_ms, to_ms, looks))
        recorded = None
        if _ALERTS in arguments.against:
            recorded = [entry for keys in shards for entry in read_transitions(connection, keys, from_ms, to_ms)]
        return _Past(recordings, recorded)
    finally:
        connection.close()


def run_trial(
    rules: Sequence[Rule], past: _Past, values: Sequence[float], windows: Sequence[LabelledWindow] | None
) -> list[RuleReport]:
    """Return what each rule would have done, and for each of ``values`` what it would have done with that threshold."""
    reports: list[RuleReport] = []
    for rule in rules:
        variants = [with_threshold(rule, value) for value in values] if values else [rule]
        recordings = [one for one in past.recordings if rule.applies_to(one.service)]
        courses = [replay(variants, recording) for recording in recordings]
        for index, variant in enumerate(variants):
            reports.append(
                rule_report(
                    variant,
                    list(zip(recordings, (found[index] for found in courses), strict=True)),
                    threshold=values[index] if values else None,
                    windows=windows,
                    recorded=past.recorded,
                )
            )
    return reports


def run(argv: list[str]) -> int:
    """Run ``barograph rules backtest``."""
    arguments = _parser().parse_args(join_moments(argv))
    values = read_values(arguments.set)
    files = [name for name in arguments.against if name != _ALERTS]
    windows = [window for name in files for window in read_windows(name)] if files else None
    options = read_server_options(arguments, os.environ)
    rules = _rules(arguments, options)
    if values and len(rules) != 1:
        raise CommandError("--set: say with --rule which rule's threshold is tried", USAGE)
    if arguments.input is not None and _ALERTS in arguments.against:
        raise CommandError("--against alerts: a file holds no alerts; leave out --input to read the store", USAGE)
    past = _past(arguments, options, rules)
    if not past.recordings:
        raise CommandError("there is nothing to try the rules on: no service of theirs has panes in this time")
    try:
        reports = run_trial(rules, past, values, windows)
    except SweepError as error:
        raise CommandError(f"--set: {error}", USAGE) from error
    if arguments.json:
        print(json.dumps([report.to_plain() for report in reports]))
    else:
        print_reports(reports, past.recordings)
    return DONE
