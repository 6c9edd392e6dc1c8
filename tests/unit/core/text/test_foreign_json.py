"""JSON of any client: a value that can be put out again, or one kind of error."""

import json

import pytest

from barograph_core.text.foreign_json import load_foreign_json


@pytest.mark.parametrize("text", [b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"", b"9" * 5_000, b"nonsense"])
def test_what_cannot_be_read_is_one_kind_of_error(text: bytes) -> None:
    """Too deep is a RecursionError in Python, which no reader expects."""
    with pytest.raises(ValueError, match=r"."):
        load_foreign_json(text)


def test_a_lone_surrogate_is_replaced_and_a_pair_is_a_character() -> None:
    """No answer, page or file could hold a lone one."""
    found = load_foreign_json(rb'{"\ud800": "a\uDFFFb", "pair": "\ud83d\ude00"}')
    assert found == {"?": "a?b", "pair": "😀"}
    json.dumps(found, ensure_ascii=False).encode()


def test_numbers_that_are_not_finite_are_none() -> None:
    """``int(inf)`` raises OverflowError, which is no ValueError."""
    assert load_foreign_json("[NaN, Infinity, -Infinity, 1e999, -1e999, 1.5, 7]") == [None] * 5 + [1.5, 7]
