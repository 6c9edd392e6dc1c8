"""Whom a request comes from, and what each route asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from barograph_core.access.token import Role

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
READERS: Final = frozenset({Role.READ, Role.ADMIN})
SENDERS: Final = frozenset({Role.INGEST, Role.ADMIN})
_ADMINS: Final = frozenset({Role.ADMIN})
_BODY_BYTES: Final = 8_192
_IDENTITY: Final = "identity"
_SIGNED_OUT: Final = "is_signed_out"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a request comes from.

    Attributes:
        name: Name of the token; empty where no token is set.
        token_id: The token; empty where none is set.
        session: Digest of the session's id; empty where the token itself was sent.
    """

    name: str
    role: Role
    token_id: str = ""
    session: str = ""


# Everyone, where no token is set. ConsoleSettings allows that on loopback, or by the operator's express wish.
ANONYMOUS: Final = Identity("", Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """What a route asks for, where that differs from other routes.

    Attributes:
        path: The whole path, or the beginning of paths where it ends with ``/`` and is longer than that.
        roles: Who may call it. Empty: everyone, also without a token.
        max_body_bytes: Bound on the body of a request; a longer one is refused before it is read.
        any_host: Whether it is served under any host name, as health checks are.
        methods: The methods that it is for; empty for all.
        is_page: Whether a browser without a valid token gets the page for signing in, and not an error.
    """

    path: str
    roles: frozenset[Role] = frozenset()
    max_body_bytes: int = _BODY_BYTES
    any_host: bool = False
    is_page: bool = False
    methods: frozenset[str] = frozenset()

    def covers(self, path: str, method: str) -> bool:
        if self.methods and method not in self.methods:
            return False
        return path == self.path or (len(self.path) > 1 and self.path.endswith("/") and path.startswith(self.path))


def rule_for(rules: Sequence[RouteRule], path: str, method: str) -> RouteRule:
    """Return the rule for a path. One without a rule is for readers, or for admins where something is changed."""
    found = next((rule for rule in rules if rule.covers(path, method)), None)
    if found is not None:
        return found
    return RouteRule(path=path, roles=READERS if method in SAFE_METHODS else _ADMINS)


def keep_identity(scope: Scope, identity: Identity | None, *, is_signed_out: bool = False) -> None:
    """Note in a request whom it comes from."""
    scope.setdefault("state", {}).update({_IDENTITY: identity, _SIGNED_OUT: is_signed_out})


def identity_of(connection: HTTPConnection) -> Identity | None:
    """Return whom a request comes from; ``None`` without a valid token, which only open routes see."""
    found = getattr(connection.state, _IDENTITY, None)
    return found if isinstance(found, Identity) else None


def is_signed_out(connection: HTTPConnection) -> bool:
    """Say whether a browser asks for the page without a valid token."""
    return getattr(connection.state, _SIGNED_OUT, False) is True
