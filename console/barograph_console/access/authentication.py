"""Finds out whom a request comes from: by its bearer token, or by the session that its cookie names."""

import logging
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers

from barograph_console.access.failure_limit import FailureLimit, network_of
from barograph_console.access.identity import ANONYMOUS, Identity
from barograph_console.access.sessions import Sessions
from barograph_console.access.token_book import TokenBook
from barograph_console.serving.problems import ApiError
from barograph_core.access.token import Token

log = logging.getLogger(__name__)
# A browser takes a cookie of the first name only over TLS, and lets no other host of the domain set it.
SECURE_COOKIE: Final = "__Host-barograph"
PLAIN_COOKIE: Final = "barograph"
_BEARER: Final = "bearer "


class Authenticator:
    """Finds the identity behind a request."""

    def __init__(self, tokens: TokenBook, sessions: Sessions, failures: FailureLimit) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._failures = failures

    async def identify(self, headers: Headers, address: str) -> Identity | None:
        """Return whom a request comes from; ``None`` where it shows nothing, or a session that is over.

        Raises:
            ApiError: 401 for a wrong token, 429 after too many of them.
            BarographError: The tokens cannot be read.
        """
        if await self._tokens.is_open():
            return ANONYMOUS
        given = headers.get("authorization")
        if given is not None:
            secret = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else ""
            token = await self.check(secret, address)
            return Identity(token.name, token.role, token.token_id)
        session_id = session_id_of(headers)
        return await self._sessions.find(session_id) if session_id else None

    async def is_valid(self, identity: Identity) -> bool:
        """Say whether somebody who was let in would be let in now, for a connection that stays open.

        Raises:
            BarographError: The tokens cannot be read.
        """
        if identity.session:
            return await self._sessions.find_by_digest(identity.session) is not None
        return await self._tokens.holds(identity.token_id) if identity.token_id else await self._tokens.is_open()

    async def check(self, secret: str, address: str) -> Token:
        """Return the token with this secret.

        Raises:
            ApiError: 401 where there is none, 429 after too many wrong ones.
            BarographError: The tokens cannot be read.
        """
        wait_s = self._failures.wait_s(address)
        if wait_s:
            raise ApiError(
                429,
                "too_many_failures",
                f"too many wrong tokens came from this address; try again in {wait_s} s",
                headers={"Retry-After": str(wait_s)},
            )
        token = await self._tokens.find(secret)
        if token is None:
            self._failures.add(address)
            log.warning("console.wrong_token", extra={"network": network_of(address)})
            raise unauthorized()
        return token


def unauthorized() -> ApiError:
    """Return the error for a request without a valid token."""
    return ApiError(401, "unauthorized", "a valid token is needed", headers={"WWW-Authenticate": "Bearer"})


def session_id_of(headers: Headers) -> str:
    """Return the id of a session that the request's cookie holds, or nothing."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    found = cookies.get(SECURE_COOKIE) or cookies.get(PLAIN_COOKIE)
    return found.value if found is not None else ""
