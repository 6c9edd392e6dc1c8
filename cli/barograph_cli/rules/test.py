"""``barograph rules test``: whether made series make the alerts that a file expects."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from barograph_alerter.rules.defaults import effective_rules
from barograph_alerter.rules.rule import Rule
from barograph_alerter.settings import AlerterSettings
from barograph_alerter.trial.cases.case import run_case
from barograph_alerter.trial.cases.case_file import read_cases
from barograph_cli.failure import DONE, FAILED
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings


def load_rules(config: ConfigFile) -> Sequence[Rule]:
    """Return the rules of a configuration, and the shipped ones that it does not replace.

    Raises:
        SettingsError: With every mistake in them.
    """
    problems: list[Problem] = []
    settings = build_settings(AlerterSettings, "alerter", {}, os.environ, config)
    rules = effective_rules(config, problems, with_defaults=settings.default_rules, flapping=settings.flapping)
    if problems:
        raise SettingsError(problems)
    return rules


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph rules test",
        description="Judge made series by the rules and compare the alerts with those that the file expects.",
        epilog="The form of the file is in alerter/README.md, under Trying rules.",
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="TOML with [[test]] tables")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph rules test``: 0 as expected, 1 a difference, 2 a mistake in a file."""
    arguments = _parser().parse_args(argv)
    cases = [(name, *case) for name in arguments.files for case in read_cases(Path(name), load_rules)]
    found = [(name, case, run_case(case, rules)) for name, case, rules in cases]
    failed = [one for one in found if one[2]]
    if arguments.json:
        print(json.dumps([{"file": name, "test": case.name, "differences": wrong} for name, case, wrong in found]))
        return FAILED if failed else DONE
    for name, case, wrong in failed:
        print(f"{name}: {case.name or 'a test'} failed", file=sys.stderr)
        for line in wrong:
            print(f"  {line}", file=sys.stderr)
    expectations = sum(len(case.expectations) for _, case, _ in found)
    noun = "test" if len(found) == 1 else "tests"
    print(f"{len(found)} {noun}, {expectations} expectations, {len(failed)} failed")
    return FAILED if failed else DONE
