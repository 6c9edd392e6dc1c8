"""Who gets in: tokens made by the command, on a console that runs; and what somebody without one can do to it."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from barograph_cli.__main__ import main
from barograph_core.access.access_store import AccessStore
from barograph_core.access.token import digest_of
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from tests.integration.console.test_console_process import stage, url_in
from tests.support import free_port, wait_until

ALERTS = "/api/v1/alerts"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def create(capsys: pytest.CaptureFixture[str], common: tuple[str, ...], *arguments: str) -> tuple[str, str]:
    """Make a token with the command; return its secret and its id."""
    assert main(["token", "create", "--name", "mira", *arguments, "--json", *common]) == 0
    made = json.loads(capsys.readouterr().out)
    return made["token"], made["id"]


def test_a_token_is_made_listed_used_and_revoked(
    real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command to a console beyond loopback: revoked, it opens nothing after five seconds."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    secret, token_id = create(capsys, common, "--role", "read", "--expires", "90d")
    assert real.command("HGET", f"{keys.prefix}:tokens", token_id) is not None
    with stage("barograph_console", tmp_path / "log", "--port", "0", "--host", "0.0.0.0", "--require-token", *common):
        base = url_in(tmp_path / "log").replace("0.0.0.0", "127.0.0.1")
        assert httpx2.get(base + ALERTS).status_code == 401
        assert httpx2.get(base + ALERTS, headers=bearer(secret)).status_code == 200
        wait_until(lambda: AccessStore(real, keys.prefix).used_days() != {}, what="the day of use")
        main(["token", "list", "--json", *common])
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["id"], row["name"], row["role"]) == (token_id, "mira", "read")
        assert row["expires_ms"] - row["created_ms"] == 90 * 86_400_000
        assert row["last_used"].startswith("20")
        with httpx2.Client(base_url=base) as browser:
            answer = browser.post("/api/v1/session", json={"token": secret}, headers={"Origin": base})
            assert answer.status_code == 200
            assert browser.get(ALERTS).status_code == 200
            assert main(["token", "revoke", token_id, *common]) == 0
            revoked = time.monotonic()
            wait_until(lambda: browser.get(ALERTS).status_code == 401, timeout_s=8, what="the end of the session")
            assert time.monotonic() - revoked <= 5
        assert httpx2.get(base + ALERTS, headers=bearer(secret)).status_code == 401
    capsys.readouterr()
    assert main(["token", "revoke", token_id, *common]) == 1
    assert "there is no token" in capsys.readouterr().err


def test_a_session_is_known_to_every_console(
    valkey_url: str, keys: ShardKeys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signed in at one, signed in at the other, and signed out at both."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    secret, _ = create(capsys, common, "--role", "admin")
    with (
        stage("barograph_console", tmp_path / "one", "--port", "0", *common),
        stage("barograph_console", tmp_path / "two", "--port", "0", *common),
    ):
        one, two = url_in(tmp_path / "one"), url_in(tmp_path / "two")
        answer = httpx2.post(f"{one}/api/v1/session", json={"token": secret}, headers={"Origin": one})
        cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        assert httpx2.get(two + ALERTS, headers=cookie).status_code == 200
        ended = httpx2.delete(f"{one}/api/v1/session", headers={**cookie, "Origin": one, "X-Barograph": "1"})
        assert ended.status_code == 204
        wait_until(lambda: httpx2.get(two + ALERTS, headers=cookie).status_code == 401, timeout_s=5, what="the end")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "0.0.0.0"), "require_token = true"),
        (("--host", "0.0.0.0", "--require-token"), "barograph token create"),
    ],
)
def test_beyond_loopback_a_console_without_any_token_does_not_start(
    valkey_url: str, keys: ShardKeys, arguments: tuple[str, ...], message: str
) -> None:
    command = [sys.executable, "-m", "barograph_console", "--port", "0", "--url", valkey_url, "--prefix", keys.prefix]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--name", "a b", "--role", "read"),
        ("create", "--name", "mira", "--role", "read", "--expires", "soon"),
        ("create", "--name", "mira", "--role", "read", "--expires", "0s"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    valkey_url: str, keys: ShardKeys, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", *arguments, "--url", valkey_url, "--prefix", keys.prefix]) == 2
    assert "barograph token:" in capsys.readouterr().err


def livez_ms(base: str) -> float:
    begun = time.monotonic()
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=5)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    connection.close()
    return (time.monotonic() - begun) * 1_000


def quickest_livez_ms(base: str) -> float:
    """Return the best of five: the machine that runs the tests is shared."""
    return min(livez_ms(base) for _ in range(5))


CLOSED = {"BAROGRAPH_CONSOLE_ADMIN_TOKEN_SHA256": digest_of("t" * 40)}


def test_idle_connections_do_not_keep_others_out(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """300 connections that say nothing, at a limit of 256 descriptors: requests are answered at once all the same."""
    port = free_port()
    command = ["-m", "barograph_console", "--port", str(port), "--url", valkey_url, "--prefix", keys.prefix]
    limited = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    with (tmp_path / "log").open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", limited, *command], stdout=output, stderr=output)
    idle: list[socket.socket] = []
    try:
        wait_until(lambda: b" ready" in (tmp_path / "log").read_bytes(), what="the console")
        idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(300)]
        assert quickest_livez_ms(f"http://127.0.0.1:{port}") <= 100
        assert psutil.Process(process.pid).num_fds() < 256
        assert b"out of system resource" not in (tmp_path / "log").read_bytes()
    finally:
        for connection in idle:
            connection.close()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def test_connections_without_a_request_are_closed_after_ten_seconds(
    valkey_url: str, keys: ShardKeys, tmp_path: Path
) -> None:
    """Also one that sends the headers of its request byte by byte."""
    common = ("--url", valkey_url, "--prefix", keys.prefix)
    with stage("barograph_console", tmp_path / "log", "--port", "0", *common):
        port = int(url_in(tmp_path / "log").rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as quiet,
            socket.create_connection(("127.0.0.1", port)) as slow,
        ):
            slow.sendall(b"GET /livez HTTP/1.1\r\n")
            begun = time.monotonic()
            ended_s = [ended_after_s(connection, begun, sends=connection is slow) for connection in (quiet, slow)]
    assert all(9 <= seconds <= 20 for seconds in ended_s), ended_s


def ended_after_s(connection: socket.socket, begun: float, *, sends: bool) -> float:
    """Return how long after ``begun`` the other side closed a connection, on which a byte is sent now and then."""
    connection.settimeout(0.5)
    while time.monotonic() - begun < 30:
        try:
            if sends:
                connection.sendall(b"x")
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


SENDER = """
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
connection.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
try:
    for _ in range(300):
        connection.sendall(b" " * (1 << 20))
except OSError:
    pass  # cut off, which is fine
connection.settimeout(5)
try:
    print(connection.recv(12).decode())
except OSError:
    print()
"""


def test_large_bodies_cost_no_memory_and_delay_nobody(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """300 MiB from somebody without a token: 401, and the console is as small as before."""
    common = ("--url", valkey_url, "--prefix", keys.prefix, "--admin-token-sha256", digest_of("t" * 40))
    start = f"POST {ALERTS}/{'0' * 16}/resolve HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n"
    kinds = ("Content-Length: 314572800\\r\\n\\r\\n", "Transfer-Encoding: chunked\\r\\n\\r\\n12c00000\\r\\n")
    with stage("barograph_console", tmp_path / "log", "--port", "0", *common) as process:
        base = url_in(tmp_path / "log")
        port = base.rpartition(":")[2]
        livez_ms(base)
        memory = psutil.Process(process.pid)
        peak = before = memory.memory_info().rss
        senders = [
            subprocess.Popen([sys.executable, "-c", SENDER, port, start + kind], stdout=subprocess.PIPE, text=True)
            for kind in kinds
        ]
        quickest_ms = 1_000.0
        while any(sender.poll() is None for sender in senders):
            quickest_ms = min(quickest_ms, livez_ms(base))
            peak = max(peak, memory.memory_info().rss)
        answers = [sender.communicate(timeout=60)[0].strip() for sender in senders]
    assert quickest_ms <= 100
    assert peak - before < 16 << 20
    # The announced one is too long, the other lacks a token; a sender that is cut off may see nothing.
    assert answers[0] in ("HTTP/1.1 413", "")
    assert answers[1] in ("HTTP/1.1 401", "")


def test_readers_of_a_server_that_hangs_delay_no_health_check(tmp_path: Path) -> None:
    """200 requests wait for a server that takes connections and says nothing; /livez does not."""
    token = "t" * 40
    with socket.create_server(("127.0.0.1", 0), backlog=512) as hanging:
        url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
        common = ("--url", url, "--admin-token-sha256", digest_of(token))
        with stage("barograph_console", tmp_path / "log", "--port", "0", *common):
            base = url_in(tmp_path / "log")
            port = int(base.rpartition(":")[2])
            request = f"GET {ALERTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            with contextlib.ExitStack() as readers:
                for _ in range(200):
                    reader = readers.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                    reader.sendall(request)
                assert quickest_livez_ms(base) <= 100
