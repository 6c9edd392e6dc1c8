"""The page that maps other libraries' calls to ours: what it shows runs, and does what it says."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from barograph_alerter.rule_parser import parse_rules
from barograph_core.errors import Problem
from barograph_core.settings import load_config
from barograph_producer import Producer
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
    rules = parse_rules(load_config(str(path), {}), problems)
    assert problems == []
    assert "queue-too-long" in [rule.name for rule in rules]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`producer\.(\w+)", PAGE))))
def test_each_call_it_names_is_there(name: str) -> None:
    assert hasattr(Producer("ranker", sample_process=False), name)


async def _wait_for(answer: Awaitable[object]) -> object:
    return await answer
