"""The description of the API, as programs and people get it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from barograph_console.serving.problems import MEDIA_TYPE, ErrorDetail, explain, problem_of

Document = dict[str, Any]

_TAGS: Final = [
    {"name": "overview", "description": "All that the page draws of one service, in one answer."},
    {"name": "figures", "description": "All services at a glance, and the figures of one of them over time."},
    {"name": "panels", "description": "Tables and charts of one service, each on its own."},
    {"name": "alerts", "description": "Alerts, the rules behind them, what was sent, and who did what."},
    {"name": "silences", "description": "Which alerts people mute, from when to when, and why."},
    {"name": "ingest", "description": "Events from programs that have no producer."},
    {"name": "health", "description": "Whether the console, the pipeline and the producers do their work."},
    {"name": "access", "description": "Sign in, sign out, and who one is."},
]
_SERVERS: Final = [{"url": "/", "description": "this console"}]
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
# One file for each operation: the parameters and the body of a request, and what a console over test data answers.
_EXAMPLES: Final = Path(__file__).parent / "examples"
_PROBLEM_EXAMPLES: Final = {
    str(problem.status): problem.model_dump(mode="json")
    for problem in (
        problem_of(401, "unauthorized", "a valid token is needed"),
        problem_of(403, "forbidden", "this needs the role admin"),
        problem_of(
            404,
            "unknown_service",
            "there is no service 'rankr'; did you mean 'ranker'?",
            [
                ErrorDetail(
                    where="query.service",
                    message="there is no service 'rankr'; did you mean 'ranker'?",
                    suggestions=["ranker"],
                )
            ],
        ),
        problem_of(409, "conflict", "it is not active"),
        problem_of(413, "body_too_large", "the body may have 8192 bytes here"),
        problem_of(
            415, "unsupported_media_type", "Content-Type is missing: send one of application/json, application/x-ndjson"
        ),
        problem_of(
            422,
            "unknown_parameter",
            "query.form is no parameter of this route; did you mean 'from'?",
            [
                ErrorDetail(
                    where="query.form",
                    message="is no parameter of this route; did you mean 'from'?",
                    suggestions=["from"],
                )
            ],
        ),
        problem_of(429, "busy", "the console works on as many questions as it can; ask again"),
        problem_of(503, "unreachable", explain("unreachable")),
    )
}


def install_description(app: FastAPI) -> None:
    """Make ``app`` describe itself: made once, when it is first asked for."""

    def describe() -> Document:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                routes=app.routes,
                tags=_TAGS,
                servers=_SERVERS,
            )
            for operation in operations(document):
                _describe_problems(operation)
                _add_examples(operation)
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI documents it


def operations(document: Document) -> Iterator[Document]:
    """Yield every operation of a description."""
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method in ("get", "post", "put", "delete"))


def _describe_problems(operation: Document) -> None:
    """Describe errors as they are sent: in the media type of RFC 9457, and never in FastAPI's own form."""
    for response in operation["responses"].values():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith(("/Problem", "/HTTPValidationError")):
            response["content"] = {MEDIA_TYPE: {**content["application/json"], "schema": _PROBLEM}}


def _add_examples(operation: Document) -> None:
    """Add the examples of an operation to its parameters, its request body and its answers."""
    file = _EXAMPLES / f"{operation['operationId']}.json"
    example: Document = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known = {**example.get("parameters", {}), **example.get("headers", {})}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in known:
            parameter["example"] = known[parameter["name"]]
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        content["example"] = example.get("bodies", {}).get(media_type, example.get("body"))
    answers: Document = {**_PROBLEM_EXAMPLES, "200": example.get("answer"), **example.get("others", {})}
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items():
            # OpenMetrics differs a little from the older text format, which is the one that is recorded.
            if "openmetrics" not in media_type:
                content.setdefault("example", answers[status])
