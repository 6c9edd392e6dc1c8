"""The flags `--from`, `--to` and `--service`, which select a part of the log."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_cli.failure import USAGE, CommandError
from barograph_core.events.kinds import is_service_name
from barograph_core.text.timestamps import parse_timestamp

_MOMENT_FLAGS: Final = ("--from", "--to")
MOMENTS: Final = "Moments are ISO 8601, milliseconds since the epoch, 'now', or a duration before now such as -1h."


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The range and the services that were asked for.

    Attributes:
        from_ms: ``None`` for the log's beginning.
        to_ms: ``None`` for the log's end.
        services: Their names, sorted; empty for all.
    """

    from_ms: int | None
    to_ms: int | None
    services: tuple[str, ...]


def add_range_arguments(parser: argparse.ArgumentParser, *, start: str, end: str) -> None:
    """Add the three flags; ``start`` and ``end`` are the help of the moments."""
    parser.add_argument("--from", dest="start", metavar="MOMENT", help=start)
    parser.add_argument("--to", dest="end", metavar="MOMENT", help=end)
    parser.add_argument("--service", action="append", default=[], help="only this service; may be given several times")


def join_moments(argv: Sequence[str], flags: Sequence[str] = _MOMENT_FLAGS) -> list[str]:
    """Return ``argv`` with ``--from -1h`` as ``--from=-1h``: argparse reads ``-1h`` as an option."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in flags and word[:1] == "-" and word[1:2].isdigit():
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def has_range(arguments: argparse.Namespace) -> bool:
    """Say whether any of the three flags was given."""
    return bool(arguments.start or arguments.end or arguments.service)


def read_range(arguments: argparse.Namespace, now_ms: int) -> TimeRange:
    """Parse the three flags.

    Args:
        arguments: As parsed.
        now_ms: The time that relative moments refer to.

    Raises:
        CommandError: A moment or a service name is invalid, or the range is empty.
    """
    start = _moment("--from", arguments.start, now_ms)
    end = _moment("--to", arguments.end, now_ms)
    if start is not None and start >= (now_ms if end is None else end):
        raise CommandError("--from: lies after the end of the range", USAGE)
    services: Sequence[str] = arguments.service
    wrong = [service for service in services if not is_service_name(service)]
    if wrong:
        raise CommandError(f"--service: {wrong[0]!r} is not 1 to 64 of A-Z a-z 0-9 . _ -", USAGE)
    return TimeRange(start, end, tuple(sorted(set(services))))


def _moment(flag: str, text: str | None, now_ms: int) -> int | None:
    try:
        return None if text is None else parse_timestamp(text, now_ms)
    except ValueError as error:
        raise CommandError(f"{flag}: {error}", USAGE) from error
