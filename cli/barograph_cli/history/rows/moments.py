"""Times as other tools write them: ISO 8601, an access log's, or a number whose size tells its unit."""

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from barograph_core.text.timestamps import LATEST_MS, iso_ms

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OF_LOGS: Final = re.compile(
    rf"\[?(\d\d)/({'|'.join(_MONTHS)})/(\d{{4}}):(\d\d):(\d\d):(\d\d)(?:\.(\d{{1,9}}))? ([+-])(\d\d)(\d\d)\]?\Z",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?\Z", re.ASCII)
# Upper bounds of the years up to 5138 in seconds, milliseconds and microseconds; what is beyond is in nanoseconds.
_UNITS: Final = ((1e11, 1_000.0), (1e14, 1.0), (1e17, 1e-3), (math.inf, 1e-6))


def moment_ms(value: object) -> int:
    """Return a date and time, a number or a text in ms since the epoch; UTC where it names no zone.

    Raises:
        ValueError: It has another form, or is not of the years 1970 to 9999.
    """
    if isinstance(value, datetime):
        return _checked(iso_ms(value.isoformat()))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _checked(_of_number(value))
    if isinstance(value, str):
        return _of_text(value.strip())
    raise ValueError


# Of one second, a log has many requests.
@lru_cache(maxsize=1_024)
def _of_text(text: str) -> int:
    found = _OF_LOGS.match(text)
    if found is not None:
        return _checked(_of_log(found))
    if _NUMBER.match(text):
        return _checked(_of_number(float(text)))
    return _checked(iso_ms(text.removesuffix(" UTC")))


def _of_log(found: re.Match[str]) -> int:
    day, month, year, hour, minute, second, part, sign, zone_hours, zone_minutes = found.groups()
    zone = timedelta(hours=int(zone_hours), minutes=int(zone_minutes)) * (-1 if sign == "-" else 1)
    place = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    moment = datetime(*place, tzinfo=timezone(zone)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (moment.days * 86_400 + moment.seconds) * 1_000 + int(f"{part or '0':0<3}"[:3])


def _of_number(value: float) -> int:
    if not 0 <= value < math.inf:
        raise ValueError
    return round(value * next(factor for most, factor in _UNITS if value < most))


def _checked(ms: int) -> int:
    if not 0 < ms <= LATEST_MS:
        raise ValueError
    return ms
