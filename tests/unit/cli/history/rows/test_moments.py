"""Times as other tools write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from barograph_cli.history.rows.moments import moment_ms

NOON = 1_772_366_400_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01 12:00:00.250 UTC", NOON + 250),
        ("2026-03-01T13:00:00.123456789+01:00", NOON + 123),
        ("01/Mar/2026:12:00:00 +0000", NOON),
        ("[01/Mar/2026:06:30:00 -0530]", NOON),
        ("1772366400", NOON),
        ("1772366400.250", NOON + 250),
        (1_772_366_400, NOON),
        (1_772_366_400_250, NOON + 250),
        (1_772_366_400_250_999, NOON + 251),
        (1_772_366_400_250_000_000, NOON + 250),
        (1_772_366_400.25, NOON + 250),
        (datetime(2026, 3, 1, 12), NOON),  # noqa: DTZ001 - a file without zones means UTC
        (datetime(2026, 3, 1, 12, tzinfo=UTC), NOON),
        (datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), NOON),
        # A year that ended in a leap second, and the years before and after 2038.
        ("31/Dec/2016:23:59:59 +0000", 1_483_228_799_000),
        ("2100-01-01", 4_102_444_800_000),
    ],
)
def test_a_time_is_read_in_ms(value: object, expected: int) -> None:
    assert moment_ms(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "noon",
        "32/Mar/2026:12:00:00 +0000",
        "1/1/2026",
        "-5",
        0,
        -1,
        float("nan"),
        1e300,
        True,
        None,
        [],
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        moment_ms(value)
