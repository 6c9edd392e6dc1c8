"""``barograph rules explain``: why alerts fire or do not, who was told or not, and what comes next; from the record."""

import argparse
import json
import os
from collections.abc import Sequence

from barograph_cli.failure import DONE, FAILED
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_cli.respond.case import Cases, parse_matchers
from barograph_cli.respond.words import terminal
from barograph_cli.rules.explanation import (
    Explanation,
    explain_alert,
    explain_rule,
    explanation_document,
    explanation_lines,
)
from barograph_core.alerts.published_rules import PublishedRule, PublishedRules, read_rules
from barograph_core.keyspace.layout import read_layout
from barograph_core.matching.label_matcher import LabelMatcher, match_every

# Alerts that are explained at once; a storm is looked at with `barograph alert list`.
_MOST = 20


def _parser() -> argparse.ArgumentParser:
    text = "Why alerts fire or do not, who was told, what mutes them, and what comes next: from the record."
    parser = argparse.ArgumentParser(prog="barograph rules explain", description=text)
    parser.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="how the id of an alert begins, a rule, or labels: service=shop route=/a",
    )
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _explanations(cases: Cases, published: PublishedRules | None, what: Sequence[str]) -> list[Explanation]:
    """Return what is on record about ``what``: the alerts that it names, else the rules that would make them."""
    if len(what) == 1 and "=" not in what[0] and (found := cases.beginning(what[0])):
        records = found
        matchers: list[LabelMatcher] = []
    else:
        matchers = parse_matchers(what)
        records = cases.records(matchers)
    rules = () if published is None else published.rules
    if records:
        return [explain_alert(cases.case(one), _rule(rules, one.rule), cases.now_ms) for one in records[:_MOST]]
    service = next((one.value for one in matchers if one.name == "service" and one.is_equal and not one.is_regex), "")
    wanted = [one for one in rules if _may_mean(matchers, one) and (not service or one.applies_to(service))]
    return [explain_rule(rule, service, cases.last_of_rule(rule.name, service)) for rule in wanted[:_MOST]]


def _rule(rules: Sequence[PublishedRule], name: str) -> PublishedRule | None:
    return next((one for one in rules if one.name == name), None)


def _may_mean(matchers: Sequence[LabelMatcher], rule: PublishedRule) -> bool:
    """Say whether alerts of ``rule`` may have what the matchers of its name and severity mean."""
    names = {"rule": rule.name, "alertname": rule.name, "severity": rule.severity.value}
    return match_every((one for one in matchers if one.name in names), names)


def run(argv: Sequence[str]) -> int:
    """Run ``barograph rules explain``."""
    arguments = _parser().parse_args(argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-rules-explain")
    try:
        prefix = options.server.prefix
        published = read_rules(connection, prefix)
        found = _explanations(Cases(connection, read_layout(connection, prefix)), published, arguments.what)
    finally:
        connection.close()
    if arguments.json:
        print(json.dumps([explanation_document(one) for one in found], ensure_ascii=False))
        return DONE if found else FAILED
    console = terminal()
    for number, one in enumerate(found):
        if number:
            console.print()
        for line in explanation_lines(one):
            console.print(line)
    if not found:
        none = "no alerter has published rules" if published is None else "no alert and no rule in force is meant"
        print(f"Nothing to explain: {none}. `barograph alert list` names what fires.")
    return DONE if found else FAILED
