"""Times as Alertmanager's clients write them. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

# What Go writes for no time at all.
_NO_YEAR: Final = "0001-"


class MomentError(ValueError):
    """A text is no time."""


def moment_of(given: Mapping[str, Any], name: str) -> int | None:
    """Return a time in ms since the epoch; ``None`` where it is left out, or is Go's word for none.

    Raises:
        MomentError: It is no time.
    """
    text = given.get(name)
    if text is None or text == "" or str(text).startswith(_NO_YEAR):
        return None
    try:
        # Go writes nanoseconds, which Python does not read.
        moment = datetime.fromisoformat(_microseconds(str(text)))
    except ValueError as error:
        raise MomentError(f"{name} {str(text)[:40]!r} is no time such as 2026-11-29T15:36:26.152Z") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _microseconds(text: str) -> str:
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{head}.{digits[:6]}{rest[len(digits) :]}"
