"""The page that maps other libraries' calls to ours: what it shows runs, and does what it says."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from barograph_alerter.rules.defaults import effective_rules
from barograph_core.errors import Problem
from barograph_core.settings.config_file import load_config
from barograph_producer import Producer
from tests.batches import custom, encoded, request
from tests.unit.console.fakes import NOW_MS, Console, FakePanes, panes_of
from tests.unit.producer.fake_server import FakeServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coming-from.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_its_python_runs_and_every_event_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first block makes the producer; here one that ships to a server in memory takes its place."""
    monkeypatch.setenv("BAROGRAPH_URL", "redis://127.0.0.1:1/0")
    server, names = FakeServer(), dict[str, object]()
    first, *others = blocks("python")
    exec(first, names)  # noqa: S102  # our own page
    shown = cast("Producer", names["producer"])
    shown.close(0)
    assert shown.service == "ranker"
    producer = names["producer"] = Producer("ranker", connect=server.connect, sample_process=False)
    for block in others:
        exec(block, names)  # noqa: S102  # as above
    estimate = cast("Callable[[str], Awaitable[object]]", names["estimate"])
    assert asyncio.run(_wait_for(estimate("abc"))) == {"minutes": 12.5, "p": 0.9, "stops": 3.0}
    assert producer.flush()
    events = Counter[str]()
    for batch in server.batches():
        events[batch.kind.name] += batch.n
    producer.close()
    assert producer.stats().lost == 0
    assert producer.stats().shipped == 17
    assert set(events) == {"request", "model", "custom"}


def test_its_rules_are_rules(tmp_path: Path) -> None:
    path = tmp_path / "barograph.toml"
    path.write_text("\n".join(blocks("toml")), encoding="utf-8")
    problems: list[Problem] = []
    rules = effective_rules(load_config(str(path), {}), problems, with_defaults=False)
    assert problems == []
    assert "checkout-availability" in [rule.name for rule in rules]
    assert "queue-too-long" in [rule.name for rule in rules]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`producer\.(\w+)", PAGE))))
def test_each_call_it_names_is_there(name: str) -> None:
    assert hasattr(Producer("ranker", sample_process=False), name)


def test_its_queries_are_answered_with_the_figures_it_names() -> None:
    """Three requests of two routes, of which one failed, and two values of each custom name."""
    requests = [request(NOW_MS - 5_000, 10.0 * n, f"/{n % 2}", 500 if n == 1 else 200) for n in (1, 2, 3)]
    customs = [custom(value, NOW_MS - 5_000, name) for name in ("cache_hits", "queue_depth") for value in (3.0, 4.0)]
    panes = FakePanes(stored={1_000: panes_of([encoded("request", requests), encoded("custom", customs)])})
    client = Console(panes=panes).client()
    found: list[tuple[str, list[float]]] = []
    for field, query in re.findall(r"\| `(\w+)` of `([\w=&]+=[\w=&]+)`", PAGE):
        answer = client.get(f"/api/v1/query?service=ranker&from=-1m&{query}").json()
        found.append((field, [round(series["points"][-1][field], 3) for series in answer["series"]]))
    assert found == [
        ("events", [3]),
        ("error_rate", [0.333]),
        ("p95", [pytest.approx(20.0, rel=0.0079), pytest.approx(10.0, rel=0.0079)]),
        ("sum", [7.0]),
        ("max", [4.0]),
    ]


async def _wait_for(answer: Awaitable[object]) -> object:
    return await answer
