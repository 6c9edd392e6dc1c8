"""Opens the console's page in the person's browser."""

import webbrowser
from collections.abc import Callable


def open_page(url: str, say: Callable[[str], None]) -> None:
    """Open ``url`` in the default browser, or say that there is none: the page's URL is on the screen anyway."""
    try:
        is_open = webbrowser.open(url)
    except webbrowser.Error:
        is_open = False
    if not is_open:
        say(f"no browser could be opened here; the page is at {url}")
