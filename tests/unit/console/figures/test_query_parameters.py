import pytest

from barograph_console.figures.query_parameters import parse_quantiles, parse_step_ms


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
