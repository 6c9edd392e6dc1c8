from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from barograph_console.page.assets import Assets, load_assets
from barograph_console.page.references import AssetError
from barograph_console.page.routes import PageRoutes
from barograph_console.serving.problems import install_error_handlers
from tests.unit.console.page.test_assets import HTML, write


class Index(BaseModel):
    name: str = "barograph"


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    files = {
        "index.html": HTML,
        "login.html": "<html><head></head>sign in</html>",
        "page.css": "a {}\n" * 50,
        "mark-ok.svg": "<svg/>",
        "js/main.js": "let a;\n",
    }
    return load_assets(write(tmp_path, files))


@pytest.fixture
def client(assets: Assets) -> TestClient:
    app = FastAPI()
    install_error_handlers(app)
    routes = PageRoutes(assets, Index())
    app.include_router(routes.router)
    app.include_router(routes.open_router)
    return TestClient(app)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("", "application/json"),
    ],
)
def test_browsers_get_the_page_and_programs_the_index(client: TestClient, accept: str, content_type: str) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"] == content_type
    assert "Accept" in answer.headers["vary"]


def test_a_file_under_its_hash_may_be_kept_for_good(client: TestClient, assets: Assets) -> None:
    (name,) = (name for name in assets.hashed if name.endswith(".css"))
    answer = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == assets.hashed[name].body
    plain = client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == assets.hashed[name].body


@pytest.mark.parametrize("path", ["/", "/static/mark-ok.svg"])
def test_what_has_no_hash_is_asked_for_each_time_and_mostly_unchanged(client: TestClient, path: str) -> None:
    first = client.get(path, headers={"Accept": "text/html"})
    assert first.headers["cache-control"] == "no-cache"
    again = client.get(path, headers={"Accept": "text/html", "If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static/page.css", "/static/index.html", "/static/../app.py", "/static/%2e%2e/app.py", "/static/"]
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """There is no path to a file that was not taken in at start."""
    assert client.get(path).status_code == 404


def test_head_says_what_get_would(client: TestClient) -> None:
    answer = client.head("/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_an_installation_without_the_page_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"login\.html is not there"):
        PageRoutes(load_assets(write(tmp_path, {"index.html": "<html></html>"})), Index())
