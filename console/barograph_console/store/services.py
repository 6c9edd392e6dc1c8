"""Which services there are: a wrong name must be told, and not answered as if nothing had happened."""

import difflib

from barograph_console.store.ports import PaneSource
from barograph_core.events.kinds import is_service_name


class UnknownServiceError(LookupError):
    """Nothing of a service was ever closed. ``suggestions``: services whose names are nearly the same."""

    def __init__(self, service: str, suggestions: list[str]) -> None:
        self.service = service
        self.suggestions = suggestions
        super().__init__(f"nothing of a service {service[:80]!r} was ever closed")


def is_settled(panes: PaneSource, service: str, to_ms: int, closed_ms: int) -> bool:
    """Return whether figures before ``to_ms`` stay as they are: closed, and too old for any late event."""
    if to_ms > closed_ms:
        return False
    settled_ms = panes.settled_ms(service)
    return settled_ms is not None and to_ms <= settled_ms


def closed_through(panes: PaneSource, service: str) -> int:
    """Return how far ``service`` is closed.

    Raises:
        UnknownServiceError: There is no such service.
    """
    known = panes.services()
    if is_service_name(service) and service in known:
        return known[service]
    raise UnknownServiceError(service, difflib.get_close_matches(service[:64], known, n=3))
