import pytest
from starlette.datastructures import Headers

from barograph_console.serving.finishing import takes_gzip
from tests.unit.console.fakes import NOW_MS, Console, FakePanes, panes_of, requests

MANY = requests(*[(NOW_MS - 2_000, f"/route/{number}", 200, 1.0) for number in range(60)])
QUERY = "/api/v1/query?service=ranker&from=-10s&step=all&by=route"


def console() -> Console:
    return Console(panes=FakePanes(stored={1_000: panes_of([MANY])}))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/api/v1/services", "/api/v1/openapi.json", "/"])
def test_every_get_answers_head(path: str) -> None:
    """The same status and headers, and no body."""
    client = console().client()
    headers = {"Accept-Encoding": "identity"}
    got, head = client.get(path, headers=headers), client.head(path, headers=headers)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == str(len(got.content))


def test_an_answer_that_did_not_change_is_not_sent_again() -> None:
    client = console().client()
    first = client.get(QUERY)
    again = client.get(QUERY, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get(QUERY, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_long_answer_is_compressed_for_who_takes_it() -> None:
    """The plain text is the same; a short answer and one that nobody can unpack are sent as they are."""
    client = console().client()
    packed, plain = client.get(QUERY), client.get(QUERY, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert "Accept-Encoding" in packed.headers["vary"]
    assert "content-encoding" not in client.get("/livez").headers


def test_a_figure_is_asked_for_each_time_and_an_error_is_not_kept() -> None:
    client = console().client()
    assert client.get(QUERY).headers["cache-control"] == "private, no-cache"
    assert client.get("/api/v1/query?service=nope").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("*", True), ("gzip;q=0", False), ("br", False), ("", False)],
)
def test_gzip_is_only_sent_where_it_is_taken(accepted: str, *, is_taken: bool) -> None:
    assert takes_gzip(Headers({"accept-encoding": accepted})) is is_taken
