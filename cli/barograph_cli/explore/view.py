"""What every section is given, and the parts that all of them show."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

import streamlit as st

from barograph_cli.explore.charts import Spec
from barograph_cli.explore.ranges import TimeRange
from barograph_cli.explore.rows import Row
from barograph_cli.explore.theme import Palette
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError

REFRESH_S: Final = 5
# Of Markdown as Streamlit reads it, with its colours, icons and formulas.
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$&^=])")


@dataclass(frozen=True, slots=True)
class View:
    """What is chosen, and how it is shown.

    Attributes:
        is_live: Whether sections read again every few seconds.
        zone: In which times are shown: the browser's.
    """

    client: ConsoleClient
    service: str
    time_range: TimeRange
    is_live: bool
    palette: Palette
    zone: tzinfo


def section(view: View, show: Callable[[View], None]) -> None:
    """Show a part of the page that reads again by itself, and says it in its place when the console does not answer."""

    @st.fragment(run_every=REFRESH_S if view.is_live else None)
    def part() -> None:
        try:
            show(view)
        except ConsoleError as error:
            show_failure(error)

    part()


def show_failure(error: ConsoleError) -> None:
    """Show what is wrong, and the mend."""
    st.error(f"**{plain(error.sentence)}**  \n{error.mend}", icon=":material/cloud_off:")


def plain(text: str) -> str:
    """Return ``text`` so that Streamlit shows it as it is: labels of events are anybody's, and could hold images."""
    return _MARKDOWN.sub(r"\\\1", text)


def show_chart(name: str, title: str, spec: Spec, rows: Sequence[Row], *, note: str = "") -> None:
    """Show a chart under its title.

    Args:
        name: No other chart of a section has it.
        title: What it shows, with the unit.
        spec: As ``charts`` makes it.
        rows: What it draws.
        note: What else the reader must know, next to the title.
    """
    show_title(title, note)
    # The description is what a screen reader says in place of the chart.
    drawn = {**spec, "description": title}
    st.vega_lite_chart(list(rows), drawn, width="stretch", theme=None, key=f"chart-{name}")


def show_title(title: str, note: str = "") -> None:
    """Show the title of a chart or a table, with a remark next to it."""
    st.markdown(f"###### {plain(title)}" + (f"  :small[:gray[{plain(note)}]]" if note else ""))


def show_empty(sentence: str) -> None:
    """Say why there is nothing to show."""
    st.info(plain(sentence), icon=":material/hourglass_empty:")
