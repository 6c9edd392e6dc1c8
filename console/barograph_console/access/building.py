"""Puts the parts of this room together."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.types import ASGIApp

from barograph_console.access.authentication import Authenticator
from barograph_console.access.failure_limit import FailureLimit
from barograph_console.access.gate import Gate
from barograph_console.access.identity import READERS, RouteRule
from barograph_console.access.origins import OriginGuard
from barograph_console.access.session_routes import PATH, SessionRoutes
from barograph_console.access.sessions import Sessions, SessionSource
from barograph_console.access.token_book import TokenBook, TokenSource
from barograph_console.settings import ConsoleSettings
from barograph_core.clock import Clock

# Threads that ask the server about tokens and sessions, apart from those of routes: these may all be waiting.
_THREADS: Final = 2
_HEALTH_PATHS: Final = ("/livez", "/readyz", "/-/healthy", "/-/ready")


class Source(TokenSource, SessionSource, Protocol):
    """Where tokens and sessions are."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the application needs of this room."""

    tokens: TokenBook
    sessions: Sessions
    authenticator: Authenticator
    routes: SessionRoutes
    origins: OriginGuard

    def gate(self, app: ASGIApp, api: str, rules: Sequence[RouteRule] = ()) -> Gate:
        """Return ``app`` behind the gate.

        Args:
            app: The framework.
            api: Beginning of the paths of the API.
            rules: Of routes that ask for something else than others; the first that covers a path counts.
        """
        own = [
            *(RouteRule(path=path, any_host=True) for path in _HEALTH_PATHS),
            RouteRule(path="/", roles=READERS, is_page=True),
            RouteRule(path="/static/"),
            RouteRule(path=f"{api}{PATH}"),
        ]
        return Gate(app, [*own, *rules], self.authenticator, self.origins)


def build_access(settings: ConsoleSettings, source: Source, clock: Clock) -> Access:
    """Return the room's parts over the tokens and sessions of ``source``."""
    executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="console-access")
    tokens = TokenBook(settings, source, clock, executor)
    sessions = Sessions(tokens, source, clock, executor)
    authenticator = Authenticator(tokens, sessions, FailureLimit(clock))
    routes = SessionRoutes(tokens, sessions, authenticator)
    return Access(tokens, sessions, authenticator, routes, OriginGuard(settings))
