"""Templates of an import: what a parameter stands for, and that no path makes them slow."""

import re

from hypothesis import given
from hypothesis import strategies as st

from barograph_cli.history.rows.request_fields import Template


@given(text=st.text("ab-", max_size=6).map(lambda text: text.replace("b", "{b}")), path=st.text("ab-/", max_size=9))
def test_a_parameter_stands_for_some_text_without_a_slash(text: str, path: str) -> None:
    """The plain regular expression says so too."""
    plain = "[^/]+".join(map(re.escape, text.split("{b}")))
    assert bool(re.fullmatch(Template(text).pattern, path)) == bool(re.fullmatch(plain, path))


def test_a_long_segment_takes_no_time() -> None:
    """Going back would take hours: paths of a log are what any client sent."""
    assert not re.fullmatch(Template("/{a}-{b}-{c}-{d}-{e}x").pattern, "/" + "a-" * 100_000)
