"""Refuses query parameters that a route does not know: ``form=-1h`` would be answered as if it had not been asked."""

from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from barograph_console.serving.problems import ApiError, ErrorDetail, did_you_mean, suggestions_for

_MOST_NAMED: Final = 5


async def refuse_unknown_parameters(request: Request) -> None:
    """Check the query of a request against what its route declares. Asynchronous, so that it takes no thread.

    Raises:
        ApiError: 422 for a parameter that the route does not have, or has once and is given twice.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.scope["query_string"]:
        return
    known = _parameters(route.dependant)
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [_unknown(name, known) for name in dict.fromkeys(given) if name not in known]
    errors += [
        ErrorDetail(where=f"query.{name}", message="is given more than once")
        for name, is_list in known.items()
        if not is_list and given.count(name) > 1
    ]
    if errors:
        message = "; ".join(f"{error.where} {error.message}" for error in errors[:_MOST_NAMED])
        raise ApiError(422, "unknown_parameter", message, errors=errors[:_MOST_NAMED])


def _parameters(dependant: Dependant) -> dict[str, bool]:
    """Return the query parameters of a route, and whether each may be given more than once."""
    found = {field.alias: _is_list(field.field_info.annotation) for field in dependant.query_params}
    for inner in dependant.dependencies:
        found |= _parameters(inner)
    return found


def _is_list(annotation: object) -> bool:
    return annotation in (list[str], list[str] | None)


def _unknown(name: str, known: dict[str, bool]) -> ErrorDetail:
    suggestions = suggestions_for(name, known)
    what = did_you_mean(suggestions) or (f"; there are {', '.join(known)}" if known else "; there are none here")
    message = f"is no parameter of this route{what}"
    return ErrorDetail(where=f"query.{name[:60]}", message=message, suggestions=suggestions)
