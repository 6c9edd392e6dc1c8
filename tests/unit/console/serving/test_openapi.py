import json
import re
from typing import Any

import jsonschema
import pytest

from tests.unit.console.example_console import FOLDER, ask, operations
from tests.unit.console.fakes import Console

DOCUMENT: dict[str, Any] = Console().client().get("/api/v1/openapi.json").json()
OPERATIONS = operations(DOCUMENT)
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]
each_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Check a value against a schema of the description, whose references lie beside it."""
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def example_of(operation: dict[str, Any]) -> dict[str, Any]:
    file = FOLDER / f"{operation['operationId']}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def test_every_operation_has_an_id_of_its_own_written_by_hand() -> None:
    """Programs that are made from the description are named by it: a verb, then what."""
    assert len(set(IDS)) == len(IDS)
    verbs = "get|list|query|preview|acknowledge|unacknowledge|resolve|add|change|end|send|sign"
    assert [name for name in IDS if not re.fullmatch(rf"({verbs})[A-Z][A-Za-z]+", name)] == []


def test_every_tag_is_described_and_used() -> None:
    used = {tag for _, _, operation in OPERATIONS for tag in operation["tags"]}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert all(len(operation["tags"]) == 1 and operation["summary"] for _, _, operation in OPERATIONS)


def test_the_description_says_where_and_with_what_to_ask() -> None:
    assert DOCUMENT["servers"] == [{"url": "/", "description": "this console"}]
    assert DOCUMENT["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    guarded = [operation for path, _, operation in OPERATIONS if path.startswith("/api/v1/") and "session" not in path]
    assert all(operation["security"] == [{"HTTPBearer": []}] for operation in guarded)


@each_operation
def test_every_parameter_is_described_and_has_a_valid_example(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    del path, method
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter
        validate(parameter["example"], parameter["schema"])


@each_operation
def test_every_answer_and_error_has_a_valid_example(path: str, method: str, operation: dict[str, Any]) -> None:
    del path, method
    for status, response in operation["responses"].items():
        assert response["description"]
        assert status in ("204", "303") or any("example" in content for content in response["content"].values())
        for content in response.get("content", {}).values():
            if "example" in content:
                validate(content["example"], content.get("schema", {}))
                assert content["example"] is not None
            if "problem" in str(content.get("schema", "")).lower():
                assert content["example"]["status"] == int(status)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        validate(content["example"], content["schema"])


@each_operation
def test_every_example_is_what_the_console_answers(path: str, method: str, operation: dict[str, Any]) -> None:
    """After a change of an answer ``python -m tests.unit.console.example_console`` writes it again."""
    if "200" not in operation["responses"]:
        assert operation["operationId"] == "signOut"
        return
    example = example_of(operation)
    status, answer = ask(path, method, example)
    assert (status, answer) == (200, example["answer"])
    contents = operation["responses"]["200"]["content"]
    forms = [name for name in contents if isinstance(answer, str) == (name != "application/json")]
    assert forms
    for name in forms:
        validate(answer, contents[name].get("schema", {}))


def test_the_other_forms_of_an_answer_are_described() -> None:
    """A fuzzer found them missing: CSV of a query, and the page."""
    forms = {
        operation["operationId"]: set(operation["responses"]["200"]["content"]) - {"application/json"}
        for _, _, operation in OPERATIONS
        if "200" in operation["responses"]
    }
    assert {name: found for name, found in forms.items() if found and name != "getMetrics"} == {
        "queryFigures": {"text/csv"},
        "getIndex": {"text/html"},
    }


def test_no_example_is_left_of_an_operation_that_is_gone() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} <= set(IDS)


@pytest.mark.parametrize(
    ("schema", "field"),
    [("Alert", "severity"), ("Alert", "state"), ("StageRow", "state"), ("Query", "kind"), ("Heatmap", "kind")],
)
def test_what_has_few_values_is_an_enum(schema: str, field: str) -> None:
    assert len(DOCUMENT["components"]["schemas"][schema]["properties"][field]["enum"]) >= 3


@pytest.mark.parametrize("path", ["/api/v1/query", "/api/v1/heatmap", "/api/v1/distribution"])
def test_the_kinds_that_may_be_asked_are_an_enum(path: str) -> None:
    parameters = {one["name"]: one for one in DOCUMENT["paths"][path]["get"]["parameters"]}
    assert parameters["kind"]["schema"]["enum"] == ["request", "model", "system", "custom"]


def test_what_a_form_gets_for_a_sign_in_is_described() -> None:
    """It is sent on to the page; programs get who they are."""
    responses = DOCUMENT["paths"]["/api/v1/session"]["post"]["responses"]
    answer = Console().client().post("/api/v1/session", data={"token": "any"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "content" not in responses["303"]
    assert "example" in responses["200"]["content"]["application/json"]


def test_what_the_gate_refuses_is_described() -> None:
    """A fuzzer found these: they are answered before a route is chosen."""
    assert {"401", "429", "503"} <= set(DOCUMENT["paths"]["/"]["get"]["responses"])
    bodies = [operation for _, _, operation in OPERATIONS if "requestBody" in operation]
    assert [operation["operationId"] for operation in bodies if "413" not in operation["responses"]] == []
