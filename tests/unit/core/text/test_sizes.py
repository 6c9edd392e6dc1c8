"""Sizes as people write and read them."""

import pytest

from barograph_core.text.sizes import format_size, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("1GB", 1_000_000_000), ("1.5 mb", 1_500_000), ("4GiB", 4_294_967_296), ("64KiB", 65_536), ("7B", 7)],
)
def test_a_size_is_a_number_and_a_unit(text: str, size_bytes: int) -> None:
    """Powers of ten, or of two where the unit says so."""
    assert parse_size_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "1", "GB", "1 XB", "-1GB", "1e3MB", "1GB2", "9999999999GB"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    """A bare number is none: its unit would be a guess."""
    with pytest.raises(ValueError, match="is not a size such as '500MB', '1GB' or '4GiB'"):
        parse_size_bytes(text)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.50 kB"), (12_345_678, "12.3 MB"), (1e9, "1.00 GB"), (2.5e14, "250 TB")],
)
def test_a_size_is_shown_with_three_figures(size_bytes: float, text: str) -> None:
    assert format_size(size_bytes) == text
