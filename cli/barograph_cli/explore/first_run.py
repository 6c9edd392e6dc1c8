"""What the page says while no service has sent an event."""

from typing import Final

import streamlit as st

from barograph_cli.explore.view import plain

_EMBED: Final = """\
from barograph_producer import BarographMiddleware, Producer

producer = Producer(service="ranker")
app = BarographMiddleware(app, producer=producer)
"""
_TRY: Final = "barograph demo"


def show_first_run(console_url: str) -> None:
    """Say that there is nothing to analyse yet, and what brings something."""
    st.title("Waiting for the first event")
    st.markdown(
        plain(f"The console at {console_url} knows no service yet. This page opens by itself when one has reported.")
    )
    st.markdown("An API reports with these lines; the producer finds the server by `BAROGRAPH_URL`:")
    st.code(_EMBED, language="python")
    st.markdown("To see it work without an API of your own, with a console that names its address:")
    st.code(_TRY, language="sh")
