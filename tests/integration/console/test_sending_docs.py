"""What docs/ingest.md, docs/markers.md and docs/opentelemetry.md tell people to run, run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from barograph_cli.__main__ import main
from barograph_core.access.token import digest_of
from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import install_layout
from barograph_core.markers.store import read_markers
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_entries
from tests.integration.console.test_console_process import stage, url_in
from tests.support import IS_CI, wait_until

DOCS = Path(__file__).parents[3] / "docs"
TOKEN = "t" * 40


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no {language}"
    return found


def commands(page: str) -> list[str]:
    """Return the blocks of a page that run curl."""
    return [block for block in blocks(page, "sh") if "curl " in block]


class Desk:
    """A console over a server, and a shell beside it."""

    def __init__(self, base: str, url: str, connection: Connection, keys: ShardKeys, folder: Path) -> None:
        self.base, self.url, self.connection, self.keys, self.folder = base, url, connection, keys, folder

    def shell(self, text: str, **environ: str) -> str:
        """Run a block as people paste it; only the addresses are this test's."""
        if shutil.which("curl") is None:
            assert not IS_CI, "curl is not installed, and in CI nothing may be skipped for that"
            pytest.skip("curl is not installed")
        here = text.replace("http://127.0.0.1:8642", self.base).replace("https://barograph.example", self.base)
        return self._run(["sh", "-euc", here.replace("/tmp/events", str(self.folder / "events"))], environ)

    def python(self, text: str, **environ: str) -> str:
        return self._run([sys.executable, "-c", text.replace("http://127.0.0.1:8642", self.base)], environ)

    def _run(self, command: list[str], environ: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, "BAROGRAPH_TOKEN": TOKEN, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def batches(self) -> list[EventBatch]:
        return [
            decode_batch(entry.fields)
            for entry in as_entries(self.connection.command("XRANGE", self.keys.events, "-", "+"))
        ]


@pytest.fixture
def desk(real: Connection, valkey_url: str, keys: ShardKeys, tmp_path: Path) -> Generator[Desk, None, None]:
    ensure_library(real)
    install_layout(real, keys.prefix, 1)
    real.command("HSET", keys.closed, "ranker", read_now(real))
    log = tmp_path / "console.log"
    common = ("--port", "0", "--url", valkey_url, "--prefix", keys.prefix, "--admin-token-sha256", digest_of(TOKEN))
    with stage("barograph_console", log, *common):
        yield Desk(url_in(log), valkey_url, real, keys, tmp_path)


def with_token(block: str) -> str:
    """Add the header that the page says to add."""
    return block.replace("curl ", 'curl --header "Authorization: Bearer $BAROGRAPH_TOKEN" ')


def test_each_curl_of_the_page_about_events_is_taken(desk: Desk) -> None:
    """Twice: those with a key or an identity count once."""
    pasted = commands("ingest.md")
    assert len(pasted) == 3
    answers = [[json.loads(desk.shell(with_token(block))) for _ in range(2)] for block in pasted]
    assert [[(one["accepted"], one["duplicate"]) for one in pair] for pair in answers] == [
        [(1, 0), (1, 0)],
        [(3, 0), (3, 0)],
        [(1, 0), (0, 1)],
    ]
    assert all(one["errors"] == [] for pair in answers for one in pair)
    kinds = sorted(batch.kind.name for batch in desk.batches())
    assert kinds == ["custom", "custom", "model", "request", "request", "system"]


def test_the_python_of_the_page_about_events_is_taken(desk: Desk) -> None:
    (block,) = blocks("ingest.md", "python")
    asked = 'message.body, {**message.headers, "Authorization": "Bearer ' + TOKEN + '"}'
    for accepted in (1, 0):
        assert json.loads(desk.python(block.replace("message.body, message.headers", asked)))["accepted"] == accepted
    (batch,) = desk.batches()
    assert (batch.service, batch.labels) == ("shop", (("orders",),))


def test_the_curl_and_the_command_of_the_page_about_markers_are_taken(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [block for block in commands("markers.md") if "/markers" in block]
    told = [json.loads(desk.shell(block)) for _ in range(2)]
    assert told[0] == told[1]
    assert (told[0]["kind"], told[0]["title"], told[0]["key"]) == ("deploy", "api 2.15", "deploy-17")
    (command,) = [block for block in blocks("markers.md", "sh") if block.startswith("barograph mark")]
    assert command == 'barograph mark deploy "api 2.15" --service ranker --key deploy-17\n'
    words = ["mark", "deploy", "api 2.15", "--service", "ranker", "--key", "other", "--by", "mira"]
    assert main([*words, "--url", desk.url, "--prefix", desk.keys.prefix]) == 0
    assert "deploy api 2.15 on ranker, by mira" in capsys.readouterr().out
    assert [one.key for one in read_markers(desk.connection, desk.keys, "ranker")] == ["deploy-17", "other"]


def test_the_step_of_github_actions_tells_a_deploy(desk: Desk) -> None:
    """As its runner does: expressions are replaced, folded lines are joined, and a shell runs the rest."""
    (step,) = blocks("markers.md", "yaml")
    values = {
        "github.run_id": "17",
        "github.ref_name": "v2.15",
        "github.server_url": "https://git.example",
        "github.repository": "shop/api",
        "secrets.BAROGRAPH_TOKEN": TOKEN,
    }
    text = re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: values[found[1]], step)
    key = re.search(r"KEY: (\S+)", text)
    folded = dict(re.findall(r"^ *(\w+): >-\n((?: {4,}\S.*\n)+)", text, re.MULTILINE))
    marker, run = (" ".join(folded[name].split()) for name in ("MARKER", "run"))
    assert key is not None
    told = json.loads(desk.shell(run, KEY=key[1], MARKER=marker))
    assert (told["title"], told["key"]) == ("api v2.15", "deploy-17")
    assert told["url"] == "https://git.example/shop/api/actions/runs/17"


def test_the_sdk_of_the_page_about_opentelemetry_sends_a_request(desk: Desk) -> None:
    (settings,) = [block for block in blocks("opentelemetry.md", "sh") if "OTEL_SERVICE_NAME" in block]
    found = re.findall(r"^export (\w+)=(.*)$", settings, re.MULTILINE)
    environ = {name: text.strip('"').replace("$BAROGRAPH_TOKEN", TOKEN) for name, text in found}
    environ = {name: text.replace("http://127.0.0.1:8642", desk.base) for name, text in environ.items()}
    assert len(environ) == 4
    (block,) = blocks("opentelemetry.md", "python")
    desk.python(block, **environ)
    wait_until(lambda: bool(desk.batches()), timeout_s=20, what="the span")
    (batch,) = desk.batches()
    assert (batch.service, batch.labels) == ("shop", (("/cart/{id}", "GET"),))
    assert batch.instance.startswith("ingest:otlp:")
