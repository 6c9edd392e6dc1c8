"""Every example under its real server, from the request to the entry on the stream."""

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.producer.reading import producers
from tests.integration.web.serving import events, leave_in_the_middle, requests, serving
from tests.support import wait_until

ASGI = ("fastapi_app", "starlette_app", "litestar_app", "django_asgi_app")
WSGI = ("flask_app", "django_wsgi_app")


@pytest.mark.parametrize("module", [*ASGI, *WSGI])
def test_every_request_is_on_the_stream_after_sigterm(
    module: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """Templates and not paths, each status, each count; what SIGTERM found in the buffer too."""
    with serving(module, valkey_url, keys) as server:
        for i in range(20):
            assert server.ask(f"/predict/hello{i}", "POST")[0] == 200
        assert server.ask("/stream/abc") == (200, b"abc")
        assert server.ask("/fail")[0] == 500
        assert server.ask("/health")[0] == 200
        for i in range(5):
            assert server.ask(f"/scan{i}.php")[0] == 404
        assert server.ask("/scan.php", "BREW")[0] in (400, 404, 405)
        server.stop()
    counted = requests(real, keys)
    brewed = {key: count for key, count in counted.items() if key[1] == "__other__"}
    assert dict(counted) == {
        ("/predict/{text}", "POST", 200): 20,
        ("/stream/{text}", "GET", 200): 1,
        ("/fail", "GET", 500): 1,
        ("__unmatched__", "GET", 404): 5,
        **brewed,
    }
    # A server, or a framework, may refuse a method of its own before anyone is asked.
    assert sum(brewed.values()) <= 1
    assert events(real, keys, "model") == 20
    assert producers(real, keys) == 0


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("flask_app", ("--workers", "2")),
        ("flask_app", ("--workers", "2", "--preload")),
        ("django_wsgi_app", ("--workers", "1", "--threads", "4", "--preload")),
        ("fastapi_app", ("--workers", "2")),
    ],
)
def test_several_workers_lose_nothing_and_send_nothing_twice(
    module: str, options: tuple[str, ...], valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """A producer that was made before the fork belongs to each worker afterwards."""
    with serving(module, valkey_url, keys, *options) as server:
        for i in range(40):
            assert server.ask(f"/predict/hello{i}", "POST")[0] == 200
        server.stop()
    assert dict(requests(real, keys)) == {("/predict/{text}", "POST", 200): 40}
    assert events(real, keys, "model") == 40
    assert producers(real, keys) == 0


def test_a_background_task_is_done_and_its_event_kept(valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    with serving("fastapi_app", valkey_url, keys) as server:
        server.ask("/predict/hello", "POST")
        server.stop()
    assert events(real, keys, "custom") == 1


@pytest.mark.parametrize("module", ["fastapi_app", "flask_app"])
def test_an_error_arrives_without_waiting(module: str, valkey_url: str, real: Connection, keys: ShardKeys) -> None:
    with serving(module, valkey_url, keys) as server:
        assert server.ask("/fail")[0] == 500
        wait_until(lambda: requests(real, keys)["/fail", "GET", 500] == 1, what="the error on the stream")


@pytest.mark.parametrize("module", ["starlette_app", "litestar_app", "flask_app", "django_wsgi_app"])
def test_a_client_that_leaves_in_the_middle_is_one_request(
    module: str, valkey_url: str, real: Connection, keys: ShardKeys
) -> None:
    """As a 499, or as the 200 it would have been if the server had it all in its hands by then; never an error."""
    with serving(module, valkey_url, keys) as server:
        leave_in_the_middle(server.port, "/stream/" + "x" * 3_000)
        assert server.ask("/stream/abc") == (200, b"abc")
        server.stop()
    counted = requests(real, keys)
    assert set(counted) <= {("/stream/{text}", "GET", 499), ("/stream/{text}", "GET", 200)}
    assert sum(counted.values()) == 2
