"""What routes say of who may call them, for the description of the API, and once more in front of a change."""

from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from barograph_console.access.identity import SENDERS, identity_of
from barograph_console.serving.problems import ApiError
from barograph_core.access.token import Role

_BEARER: Final = HTTPBearer(auto_error=False, description="a token with the role read or admin; none where none is set")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def documents_token(_credentials: Credentials) -> None:
    """Let the description of the API name the token. The gate has checked it before."""


def may_change(request: Request, _credentials: Credentials) -> None:
    """Let only admins pass.

    Raises:
        ApiError: 403.
    """
    identity = identity_of(request)
    if identity is None or identity.role is not Role.ADMIN:
        raise ApiError(403, "forbidden", "this needs the role admin")


def may_send(request: Request, _credentials: Credentials) -> None:
    """Let those pass who may send: events, and what was done to a service.

    Raises:
        ApiError: 403.
    """
    identity = identity_of(request)
    if identity is None or identity.role not in SENDERS:
        raise ApiError(403, "forbidden", "this needs the role admin or ingest")
