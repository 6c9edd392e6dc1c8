"""``/api/v1/session``: signing in with a token, who is signed in, signing out."""

import logging
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, RedirectResponse, Response

from barograph_console.access.authentication import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Authenticator,
    session_id_of,
    unauthorized,
)
from barograph_console.access.identity import ANONYMOUS
from barograph_console.access.origins import check_csrf_header
from barograph_console.access.sessions import Sessions
from barograph_console.access.token_book import TokenBook
from barograph_console.serving.problems import ApiError, Problem
from barograph_console.serving.security_headers import is_over_tls
from barograph_core.access.session import LONGEST_MS
from barograph_core.access.token import Role, digest_of

log = logging.getLogger(__name__)
PATH: Final = "/session"
_TOKEN_LENGTH: Final = 1_024


class SignIn(BaseModel):
    """A token in exchange for a session."""

    token: str = Field(max_length=_TOKEN_LENGTH)


class SignedIn(BaseModel):
    """Who is signed in. Without any token everyone is, as an admin without a name."""

    name: str
    role: Role


class SessionRoutes:
    """Begins, shows and ends the session of a browser."""

    def __init__(self, tokens: TokenBook, sessions: Sessions, authenticator: Authenticator) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._authenticator = authenticator
        self.router = APIRouter(tags=["access"])
        self.router.add_api_route(
            PATH,
            self.begin,
            methods=["POST"],
            response_model=SignedIn,
            openapi_extra={"requestBody": {"content": _body_schema(), "required": True}},
            responses={
                303: {"description": "signed in by a form: the page"},
                413: {"model": Problem, "description": "the body is too large"},
                429: {"model": Problem, "description": "too many wrong tokens"},
            },
            operation_id="signIn",
            summary="Sign in with a token; a form gets the page in return",
        )
        self.router.add_api_route(PATH, self.show, operation_id="getSession", summary="Who is signed in")
        self.router.add_api_route(
            PATH, self.end, methods=["DELETE"], status_code=204, operation_id="signOut", summary="Sign out"
        )

    async def begin(self, request: Request) -> Response:
        is_form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        secret = _token_in(await request.body(), is_form=is_form)
        if await self._tokens.is_open():
            name, role, cookie = ANONYMOUS.name, ANONYMOUS.role, ""
        else:
            token = await self._authenticator.check(secret, request.client.host if request.client else "")
            await self._end_old(request)
            name, role, cookie = token.name, token.role, await self._sessions.begin(token)
            log.info("console.signed_in", extra={"holder": name, "token_id": token.token_id})
        answer: Response = (
            RedirectResponse("/", 303) if is_form else JSONResponse(SignedIn(name=name, role=role).model_dump())
        )
        if cookie:
            _set_cookie(answer, cookie, is_secure=_is_secure(request))
        return answer

    async def show(self, request: Request) -> SignedIn:
        address = request.client.host if request.client else ""
        identity = await self._authenticator.identify(request.headers, address)
        if identity is None:
            raise unauthorized()
        return SignedIn(name=identity.name, role=identity.role)

    async def end(self, request: Request) -> Response:
        check_csrf_header(request.headers)
        await self._end_old(request)
        answer = Response(status_code=204)
        for name, is_secure in ((SECURE_COOKIE, True), (PLAIN_COOKIE, False)):
            answer.delete_cookie(name, path="/", secure=is_secure, httponly=True, samesite="strict")
        return answer

    async def _end_old(self, request: Request) -> None:
        """End the session that the browser had: each sign-in gives a new id."""
        session_id = session_id_of(request.headers)
        if session_id:
            await self._sessions.end(digest_of(session_id))


def _token_in(body: bytes, *, is_form: bool) -> str:
    """Return the token that a sign-in brings.

    Raises:
        ApiError: 422 where there is none.
    """
    try:
        if is_form:
            return parse_qs(body.decode(), max_num_fields=8)["token"][0][:_TOKEN_LENGTH]
        return SignIn.model_validate_json(body).token
    except (ValueError, LookupError):
        raise ApiError(422, "invalid_parameter", 'the body must be {"token": "…"}') from None


def _is_secure(request: Request) -> bool:
    """Say whether the browser holds a cookie that is for TLS only: its origin says how it reached us."""
    return request.headers.get("origin", "").startswith("https://") or is_over_tls(request.scope)


def _set_cookie(answer: Response, session_id: str, *, is_secure: bool) -> None:
    answer.set_cookie(
        SECURE_COOKIE if is_secure else PLAIN_COOKIE,
        session_id,
        max_age=LONGEST_MS // 1_000,
        path="/",
        secure=is_secure,
        httponly=True,
        samesite="strict",
    )


def _body_schema() -> dict[str, object]:
    schema = SignIn.model_json_schema()
    return {"application/json": {"schema": schema}, "application/x-www-form-urlencoded": {"schema": schema}}
