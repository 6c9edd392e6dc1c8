"""The script that Streamlit runs for each viewer: what is chosen on the left, and the section that shows it."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from barograph_cli.explore.answers.figures import is_pipeline, service_names
from barograph_cli.explore.first_run import show_first_run
from barograph_cli.explore.ranges import CUSTOM, RANGES_S, TimeRange, between, newest
from barograph_cli.explore.sections import alerts, endpoints, models, processes, requests
from barograph_cli.explore.theme import palette_of
from barograph_cli.explore.view import REFRESH_S, View, plain, show_failure
from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.source import Source, read_source
from barograph_core.clock import SystemClock

SECTIONS: Final[dict[str, Callable[[View], None]]] = {
    "Requests": requests.show,
    "Endpoints": endpoints.show,
    "Models": models.show,
    "Processes": processes.show,
    "Alerts": alerts.show,
}


# A drawn one: Streamlit fetches the icons that it knows by name from another host.
_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d4f86"/>'
    '<path d="M5 20l6-2 4-8 4 13 3-6 5-1" fill="none" stroke="#fffefb" stroke-width="2.5"/></svg>'
)
# Streamlit fades what is read again after half a second: every five seconds that would be a flicker.
_STYLE: Final = '<style>[data-stale="true"] { transition-delay: 3s !important; }</style>'


@st.cache_resource
def _client_of(source: Source) -> ConsoleClient:
    """Return the client that all viewers share: its connections are worth keeping."""
    return ConsoleClient(source, "explore")


def _zone() -> tzinfo:
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _chosen_range(zone: tzinfo) -> TimeRange | None:
    name = st.segmented_control(
        "Range", [*RANGES_S, CUSTOM], default="1h", required=True, key="range", bind="query-params"
    )
    if name != CUSTOM:
        return newest(name)
    now = datetime.fromtimestamp(SystemClock().now_ms() // 60_000 * 60, zone).replace(tzinfo=None)
    start = st.datetime_input("From", now - timedelta(hours=1), step=60, key="from", bind="query-params")
    end = st.datetime_input("To", now, step=60, key="to", bind="query-params")
    return between(start, end, zone)


def _main() -> None:
    st.set_page_config("barograph explore", page_icon=_ICON, layout="wide")
    st.html(_STYLE)
    client, zone = _client_of(read_source(os.environ)), _zone()
    try:
        names = service_names(client)
    except ConsoleError as error:
        show_failure(error)
        _try_again()
        return
    if all(is_pipeline(name) for name in names):
        show_first_run(client.url)
        _try_again()
        return
    with st.sidebar:
        st.markdown("### barograph explore")
        service = st.selectbox("Service", names, key="service", bind="query-params")
        chosen = _chosen_range(zone)
        is_fixed = chosen is None or not chosen.moves
        is_live = st.toggle(
            f"Read again every {REFRESH_S} s", value=True, key="live", bind="query-params", disabled=is_fixed
        )
        st.caption(f"Times are in {zone}. Figures come from {client.url}.")
    if chosen is None:
        st.warning("The range ends before it begins: choose another From or To on the left.")
        return
    view = View(client, service, chosen, is_live and not is_fixed, palette_of(st.context.theme.type), zone)
    st.header(plain(service), anchor=False)
    name = st.segmented_control(
        "Section",
        list(SECTIONS),
        default="Requests",
        required=True,
        key="section",
        label_visibility="collapsed",
        bind="query-params",
    )
    SECTIONS[name](view)


def _try_again() -> None:
    """Run the whole script again soon: what was missing may be there then."""

    @st.fragment(run_every=REFRESH_S)
    def again() -> None:
        if "waited" in st.session_state:
            del st.session_state["waited"]
            st.rerun()
        st.session_state["waited"] = True

    again()


_main()
