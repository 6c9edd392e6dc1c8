"""Errors as the API shows them: one shape for all, and never a traceback."""

import logging
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from barograph_core.errors import BarographError, StreamUnavailableError

log = logging.getLogger(__name__)
RETRY_AFTER_S: Final = 2
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}


class ErrorDetail(BaseModel):
    """One thing that is wrong: a parameter such as ``query.step`` and what it must be."""

    where: str
    message: str


class ErrorInfo(BaseModel):
    """What went wrong. ``code`` is for programs and stays; ``message`` is for people and may change."""

    status: int
    code: str
    message: str
    details: list[ErrorDetail] = []


class ErrorBody(BaseModel):
    error: ErrorInfo


class ApiError(Exception):
    """An answer that is an error. Raised by routes, turned into the body by the handler below."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(message)


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    details: list[ErrorDetail] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that carries one error."""
    body = ErrorBody(error=ErrorInfo(status=status, code=code, message=message, details=details or []))
    return JSONResponse(body.model_dump(), status_code=status, headers=dict(headers or {}))


def unavailable_response(reason: str, message: str) -> JSONResponse:
    """Return a 503 that says when to ask again."""
    return error_response(503, reason, message, headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_api_error(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, ApiError):
        raise exc
    return error_response(exc.status, exc.code, exc.message, headers=exc.headers)


async def _on_invalid_request(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, RequestValidationError):
        raise exc
    details = [ErrorDetail(where=".".join(map(str, error["loc"])), message=str(error["msg"])) for error in exc.errors()]
    message = "; ".join(f"{detail.where}: {detail.message}" for detail in details)
    return error_response(422, "invalid_parameter", message, details=details)


async def _on_http_error(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, HTTPException):
        raise exc
    code = _CODES.get(exc.status_code, "http_error")
    return error_response(exc.status_code, code, exc.detail, headers=exc.headers)


async def _on_barograph_error(request: Request, exc: Exception) -> JSONResponse:
    """Answer 503: the store is not there, or cannot be read just now. The text may name the server: it is logged."""
    reason = exc.reason if isinstance(exc, StreamUnavailableError) else "store_error"
    log.warning("console.store_unavailable", extra={"path": request.url.path, "reason": reason, "detail": str(exc)})
    return unavailable_response(reason, explain(reason))


_EXPLANATIONS: Final = {
    "unreachable": "the server that holds the streams cannot be reached",
    "timeout": "the server that holds the streams did not answer in time",
    "loading": "the server that holds the streams is still loading its data",
    "read_only": "the server that holds the streams is a read-only replica",
    "out_of_memory": "the server that holds the streams is out of memory and refuses writes",
    "no_library": "the function library is not loaded on the server: run `barograph install`",
    "authentication": "the server that holds the streams refuses this user or password",
    "refused": "the server that holds the streams refuses the command",
}


def explain(reason: str) -> str:
    """Return the sentence for a reason of ``StreamUnavailableError``."""
    return _EXPLANATIONS.get(reason, "the store cannot be read just now")


async def _on_any_error(_request: Request, exc: Exception) -> JSONResponse:
    log.error("console.request_failed", exc_info=exc)
    return error_response(500, "internal_error", "the console failed; its log says why")


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of ``app`` answer in the one shape."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(BarographError, _on_barograph_error)
    app.add_exception_handler(Exception, _on_any_error)
