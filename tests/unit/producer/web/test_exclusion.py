"""Patterns of paths that are not recorded: what they mean, and that no path makes them slow."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_producer._web.exclusion import Exclusion


@given(pattern=st.text("ab/*", max_size=9), path=st.text("ab/\n", max_size=12))
def test_a_star_stands_for_any_text(pattern: str, path: str) -> None:
    """Slashes and line breaks included; the plain regular expression says so too."""
    plain = ".*".join(map(re.escape, pattern.split("*")))
    assert Exclusion([pattern]).matches(path) == bool(re.fullmatch(plain, path, re.DOTALL))


@pytest.mark.parametrize("pattern", ["/a*b*c", "/a*b*c*d", "/*a*a*a*a*a*c", "*b*b*b*b*c"])
def test_a_long_path_takes_no_time(pattern: str) -> None:
    """Going back would take hours for these, in the event loop of the API: any client may send such a path."""
    assert not Exclusion([pattern]).matches("/a" + "ab" * 100_000)
