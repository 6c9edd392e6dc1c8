import pytest

from tests.unit.console.fakes import Console, FakePanes


def api_paths() -> list[str]:
    """Return every route that is read, with its path's parameters filled in."""
    document = Console().client().get("/api/v1/openapi.json").json()
    return [
        path.replace("{alert_id}", "0" * 16)
        for path, operations in document["paths"].items()
        if "get" in operations and path not in ("/", "/livez", "/readyz")
    ]


def paths_of_a_service() -> list[str]:
    """Return the routes that take a service."""
    document = Console().client().get("/api/v1/openapi.json").json()
    return [
        path
        for path, operations in document["paths"].items()
        if "service" in [one["name"] for one in operations.get("get", {}).get("parameters", ())]
    ]


def test_a_slip_in_a_parameter_is_named() -> None:
    """`form=-1h` would have been answered with the last quarter of an hour."""
    answer = Console().client().get("/api/v1/query?service=ranker&form=-1h&stepp=1")
    problem = answer.json()
    assert (answer.status_code, problem["code"], answer.headers["content-type"]) == (
        422,
        "unknown_parameter",
        "application/problem+json",
    )
    assert problem["type"] == "urn:barograph:unknown_parameter"
    assert [(one["where"], one["suggestions"][0]) for one in problem["errors"]] == [
        ("query.form", "from"),
        ("query.stepp", "step"),
    ]
    assert "did you mean 'from'?" in problem["detail"]


@pytest.mark.parametrize("path", api_paths())
def test_no_route_takes_a_parameter_that_it_does_not_know(path: str) -> None:
    answer = Console().client().get(path, params={"zzz": "1"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")


@pytest.mark.parametrize("path", paths_of_a_service())
def test_no_route_answers_about_a_service_that_is_not_there(path: str) -> None:
    """Empty answers about a misspelt service look like a quiet one."""
    problem = Console().client().get(f"{path}?service=rankr").json()
    assert (problem["status"], problem["code"], problem["errors"][0]["suggestions"]) == (
        404,
        "unknown_service",
        ["ranker"],
    )


def test_a_parameter_that_is_given_twice_is_refused() -> None:
    """Only the last would count; a list may repeat."""
    client = Console(panes=FakePanes()).client()
    twice = client.get("/api/v1/query?service=ranker&from=-1h&from=-2h").json()
    assert (twice["code"], twice["errors"][0]["where"]) == ("unknown_parameter", "query.from")
    assert client.get("/api/v1/query?service=ranker&where=route=/a&where=method=GET").status_code == 200


def test_health_checks_and_the_page_take_any_parameter() -> None:
    """An orchestrator must not restart a console because of how it asks; the page drops what it does not know."""
    client = Console().client()
    assert [client.get(f"{path}?zzz=1").status_code for path in ("/livez", "/readyz", "/")] == [200, 200, 200]


def test_seconds_are_not_read_as_milliseconds() -> None:
    """They would name a day of January 1970, and the answer would be empty."""
    problem = Console().client().get("/api/v1/query?service=ranker&from=1700000000").json()
    assert (problem["status"], "write 1700000000000" in problem["detail"]) == (422, True)
