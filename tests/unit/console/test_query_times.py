import pytest

from barograph_console.query_times import parse_quantiles, parse_step_ms, parse_time_ms

NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW_MS),
        ("1699999999999", 1_699_999_999_999),
        ("-15m", NOW_MS - 900_000),
        ("-1h30m", NOW_MS - 5_400_000),
        ("2023-11-14T22:13:20Z", NOW_MS),
        ("2023-11-14T22:13:20.250", NOW_MS + 250),
        ("2023-11-15T00:13:20+02:00", NOW_MS),
        ("2023-11-15T00:13:20 02:00", NOW_MS),
        ("2023-11-14", 1_699_920_000_000),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: int) -> None:
    """Epoch ms, durations before now and ISO 8601 mean what they say; a lost plus sign is forgiven."""
    assert parse_time_ms(text, NOW_MS) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "15m", "-15", "1e9", "99999999999999999", "0001-01-01", "--1m"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"."):
        parse_time_ms(text, NOW_MS)


@pytest.mark.parametrize(("text", "expected"), [("1", 1_000), ("60", 60_000), ("0.5", 500), ("all", None)])
def test_steps_are_seconds_or_all(text: str, expected: int | None) -> None:
    assert parse_step_ms(text) == expected


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "1e99", "1e999999", "1e-999999", "ten", "0.0001", "", ".", "٣"]
)
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="step"):
        parse_step_ms(text)


def test_quantiles_are_named_by_percent() -> None:
    """0.9 is p90 and 0.999 is p99_9, exactly as in rules."""
    assert parse_quantiles("0.9, 0.999,1,0,0.50") == {"p90": 0.9, "p99_9": 0.999, "p100": 1.0, "p0": 0.0, "p50": 0.5}


@pytest.mark.parametrize(
    "text",
    ["1.1", "-0.1", "-0", "nan", "x", ".", "1e-999999", "0.1234567890123", ",".join(f"0.{i:02}" for i in range(30))],
)
def test_what_is_no_quantile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantile"):
        parse_quantiles(text)
