"""``barograph check``: every mistake in the configuration at once, each with its line and key."""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from barograph_aggregator.settings import AggregatorSettings
from barograph_aggregator.settings import check as check_aggregator
from barograph_alerter.settings import AlerterSettings
from barograph_alerter.settings import check as check_alerter
from barograph_cli.failure import DONE, USAGE
from barograph_cli.manage.lint import hints_of, lint_routes
from barograph_console.settings import ConsoleSettings
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile, check_sections, load_config
from barograph_core.settings.load import find_problems
from barograph_core.settings.server import ServerSettings
from barograph_core.text.one_line import safe_lines
from barograph_notifier.settings import NotifierSettings
from barograph_notifier.settings import check as check_notifier

SECTIONS: Final[tuple[tuple[str, type[object]], ...]] = (
    ("server", ServerSettings),
    ("aggregator", AggregatorSettings),
    ("alerter", AlerterSettings),
    ("notifier", NotifierSettings),
    ("console", ConsoleSettings),
)
_NUMBERS: Final = re.compile(r"(\d+)")


def find_all_problems(config: ConfigFile, environ: Mapping[str, str]) -> list[Problem]:
    """Return every mistake of every stage, in the order of the file's lines."""
    problems = check_sections(config)
    for section, settings in SECTIONS:
        problems += find_problems(settings, section, {}, environ, config)
    for check in (check_aggregator, check_alerter, check_notifier):
        problems += check(config, environ)
    problems += lint_routes(config)
    # Two checks may report the same section.
    return sorted(dict.fromkeys(problems), key=_by_line)


def _by_line(problem: Problem) -> list[tuple[int, str]]:
    """Order ``barograph.toml:9`` before ``barograph.toml:12``."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in _NUMBERS.split(problem.where)]


def run(argv: list[str]) -> int:
    """Run ``barograph check``."""
    parser = argparse.ArgumentParser(
        prog="barograph check", description="Name every mistake in the configuration and the environment."
    )
    parser.add_argument("file", nargs="?", help="the file to check; same as --config")
    parser.add_argument("--config", help="configuration file; BAROGRAPH_CONFIG; default ./barograph.toml")
    parser.add_argument("--json", action="store_true", help="print the mistakes as JSON")
    arguments = parser.parse_args(argv)
    hints: list[str] = []
    try:
        config = load_config(arguments.file or arguments.config, os.environ)
        problems = find_all_problems(config, os.environ)
        source = "no configuration file, only defaults" if config.path is None else str(config.path)
        hints = hints_of(config, os.environ)
    except SettingsError as error:
        # The file is absent or no TOML: there is nothing further to check.
        problems, source = list(error.problems), ""
    if arguments.json:
        print(json.dumps([asdict(problem) for problem in problems], indent=2))
    elif problems:
        print(safe_lines("\n".join(str(problem) for problem in problems)), file=sys.stderr)
        print(f"{len(problems)} mistake{'s' if len(problems) > 1 else ''}", file=sys.stderr)
    else:
        print(f"{source}: no mistakes")
        for hint in hints:
            print(f"hint: {safe_lines(hint)}")
    return USAGE if problems else DONE
