"""The alert that a command line describes."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph_alerter.rules.rule import Rule
from barograph_cli.failure import USAGE, CommandError
from barograph_core.alerts.record import Severity
from barograph_core.settings.config_file import suggestion


@dataclass(frozen=True, slots=True)
class AskedAlert:
    """The alert that is asked about."""

    rule: str
    service: str
    severity: Severity
    labels: Mapping[str, str]

    def __str__(self) -> str:
        labels = "".join(f', {name} = "{value}"' for name, value in sorted(self.labels.items()))
        return f"{self.severity.value} {self.rule} on {self.service or 'a service without a name'}{labels}"


def add_alert_arguments(parser: argparse.ArgumentParser, *, needs_rule: bool) -> None:
    """Add ``--rule``, ``--service``, ``--severity`` and ``--label``."""
    parser.add_argument("--rule", required=needs_rule, help="the alert's rule, of the file or one that ships")
    parser.add_argument("--service", default="", help="the alert's service")
    parser.add_argument("--severity", choices=[one.value for one in Severity], help="default: the rule's highest")
    parser.add_argument(
        *("--label", "-l"),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a label of the alert, in addition to those that the rule adds; may be repeated",
    )


def asked_alert(arguments: argparse.Namespace, rules: Sequence[Rule]) -> AskedAlert:
    """Return the alert of the command line, with severity and labels of its rule where they are not given.

    Raises:
        CommandError: There is no such rule, or a label has no value.
    """
    rule = next((rule for rule in rules if rule.name == arguments.rule), None)
    if rule is None:
        hint = suggestion(arguments.rule, [rule.name for rule in rules])
        raise CommandError(f"--rule: there is no rule {arguments.rule!r}{hint}", USAGE)
    labels = dict(rule.fixed_labels)
    for text in arguments.label:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise CommandError(f"--label: {text!r} is not NAME=VALUE", USAGE)
        labels[name] = value
    severity = Severity(arguments.severity) if arguments.severity else rule.highest_severity
    return AskedAlert(rule.name, arguments.service, severity, labels)
