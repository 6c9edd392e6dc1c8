"""``barograph rules``: finds the action's module, so that a test of rules loads nothing of the others."""

from importlib import import_module
from typing import Final

from barograph_cli.command_line import split_argv
from barograph_cli.failure import DONE, USAGE, CommandError

_ACTIONS: Final = {
    "check": "mistakes in the rules; with --live also what each finds among the series there are",
    "backtest": "what the rules would have done in the past: episodes, notifications, a sweep of a threshold",
    "explain": "why an alert fires or does not, who was told or not, and what comes next",
    "test": "whether series of values make the alerts that a file expects; exit code 1 if not",
}


def usage() -> str:
    """Return the text of ``barograph rules --help``."""
    lines = ["usage: barograph rules ACTION [OPTIONS]", "", "Try rules before they page.", ""]
    lines += [f"  {name:<10}{text}" for name, text in _ACTIONS.items()]
    return "\n".join([*lines, "", "More about an action: barograph rules ACTION --help"])


def run(argv: list[str]) -> int:
    """Run ``barograph rules``."""
    options, rest = split_argv(argv)
    if "--help" in options or "-h" in options or not rest:
        print(usage())
        return DONE if rest or options else USAGE
    action, *others = rest
    if action not in _ACTIONS:
        raise CommandError(f"there is no action {action!r}: {', '.join(_ACTIONS)}", USAGE)
    module = import_module(f"barograph_cli.rules.{action}")
    outcome: int = module.run([*options, *others])
    return outcome
