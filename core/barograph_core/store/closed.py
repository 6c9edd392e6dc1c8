"""Reads the hash of how far each service is closed."""

from typing import Final

from barograph_core.events.kinds import is_service_name
from barograph_core.server.link import Reply
from barograph_core.server.replies import as_bytes, as_list, as_text

_MOST_DIGITS: Final = 16


def parse_closed(reply: Reply) -> dict[str, int]:
    """Return service -> end of its newest closed pane in ms, and leave out fields that no aggregator wrote."""
    flat = as_list(reply)
    pairs = zip(map(as_text, flat[::2]), map(as_bytes, flat[1::2]), strict=True)
    return {
        name: int(end) for name, end in pairs if end.isdigit() and len(end) <= _MOST_DIGITS and is_service_name(name)
    }
