"""Errors as the API shows them: one shape for all, and never a traceback."""

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from barograph_core.errors import BarographError, StreamUnavailableError

log = logging.getLogger(__name__)
RETRY_AFTER_S: Final = 2
_MOST_SUGGESTIONS: Final = 3
# To compare longer texts costs more than it helps.
_LONGEST_SLIP: Final = 64
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}


MEDIA_TYPE: Final = "application/problem+json"


class ErrorDetail(BaseModel):
    """One thing that is wrong: a parameter such as ``query.step``, what it must be, and what was probably meant."""

    where: str
    message: str
    suggestions: list[str] = []


class Problem(BaseModel):
    """Why a request was not answered (RFC 9457). ``code`` is for programs and stays; ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ErrorDetail] = []


class ApiError(Exception):
    """An answer that is an error. Raised by routes, turned into the body by the handler below.

    Attributes:
        errors: The parameters that are wrong, where it is known which.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[ErrorDetail] = (),
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.errors = list(errors)
        super().__init__(message)


def wrong(where: str, message: str) -> ApiError:
    """Return the error of a parameter that is wrong, such as ``body.until``."""
    return ApiError(422, "invalid_parameter", f"{where}: {message}", errors=[ErrorDetail(where=where, message=message)])


def problem_of(status: int, code: str, message: str, errors: Sequence[ErrorDetail] = ()) -> Problem:
    """Return the body of one error."""
    return Problem(
        type=f"urn:barograph:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        detail=message,
        code=code,
        errors=list(errors),
    )


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    errors: Sequence[ErrorDetail] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that carries one error."""
    problem = problem_of(status, code, message, errors)
    caching = {"Cache-Control": "no-store", **(headers or {})}
    return JSONResponse(problem.model_dump(), status_code=status, headers=caching, media_type=MEDIA_TYPE)


def suggestions_for(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three of ``known`` that ``word`` may be a slip of."""
    word = word[:_LONGEST_SLIP]
    found = difflib.get_close_matches(word, list(known), n=_MOST_SUGGESTIONS, cutoff=0.6)
    # Letters in another order are the likeliest slip: "form" is rather "from" than "format".
    return sorted(found, key=lambda one: sorted(one) != sorted(word))


def did_you_mean(suggestions: Sequence[str]) -> str:
    """Return the end of a sentence that names the best of ``suggestions``; empty when there is none."""
    return f"; did you mean {suggestions[0]!r}?" if suggestions else ""


def unavailable_response(reason: str, message: str) -> JSONResponse:
    """Return a 503 that says when to ask again."""
    return error_response(503, reason, message, headers={"Retry-After": str(RETRY_AFTER_S)})


async def _on_api_error(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, ApiError):
        raise exc
    return error_response(exc.status, exc.code, exc.message, headers=exc.headers, errors=exc.errors)


async def _on_invalid_request(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, RequestValidationError):
        raise exc
    details = [ErrorDetail(where=".".join(map(str, error["loc"])), message=str(error["msg"])) for error in exc.errors()]
    message = "; ".join(f"{detail.where}: {detail.message}" for detail in details)
    return error_response(422, "invalid_parameter", message, errors=details)


async def _on_http_error(_request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, HTTPException):
        raise exc
    if exc.status_code == 400:
        # The framework's word for a body that is no text: JSON of another form is a 422 as well.
        detail = ErrorDetail(where="body", message="is no JSON document")
        return error_response(422, "invalid_parameter", f"{detail.where}: {detail.message}", errors=[detail])
    code = _CODES.get(exc.status_code, "http_error")
    return error_response(exc.status_code, code, exc.detail, headers=exc.headers)


async def _on_barograph_error(request: Request, exc: Exception) -> JSONResponse:
    if not isinstance(exc, BarographError):
        raise exc
    return answer_of(exc, request.url.path)


def answer_of(error: ApiError | BarographError, path: str) -> JSONResponse:
    """Return the answer for an error that a request for ``path`` ended with.

    A ``BarographError`` gives 503: the store is not there, or cannot be read just now. Its text may name the server,
    so it is logged and not sent.
    """
    if isinstance(error, ApiError):
        return error_response(error.status, error.code, error.message, headers=error.headers, errors=error.errors)
    reason = error.reason if isinstance(error, StreamUnavailableError) else "store_error"
    log.warning("console.store_unavailable", extra={"path": path, "reason": reason, "detail": str(error)})
    return unavailable_response(reason, explain(reason))


_EXPLANATIONS: Final = {
    "unreachable": "the server that holds the streams cannot be reached",
    "timeout": "the server that holds the streams did not answer in time",
    "loading": "the server that holds the streams is still loading its data",
    "read_only": "the server that holds the streams is a read-only replica",
    "out_of_memory": "the server that holds the streams is out of memory and refuses writes",
    "no_library": "the function library is not loaded on the server: run `barograph install`",
    "can_evict": "the server that holds the streams drops keys when it is full: set maxmemory-policy noeviction",
    "ids_ahead": "entry ids are ahead of the server's clock: it was ahead, or an entry from the future was appended",
    "no_aggregator": "no aggregator closes panes: figures stand still, and no rule is judged on them",
    "stuck": "panes do not close though nothing is in their way: `barograph status` says which, and why if it knows",
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
