"""Bounds on the work for one answer hold for every route that reads panes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from barograph_console.reading import panes as pane_pieces
from barograph_console.reading import work
from barograph_core.store.pane_store import PackedPane
from tests.support import FakeClock
from tests.unit.console.fakes import NOW_MS, Console, FakePanes, panes_of, requests

MINUTES = 10
# Of a range whose panes must be read: those of an endpoint, since all requests together have figures.
HEAVY = (
    "overview?from=-10m&route=GET+/r1",
    "heatmap?from=-10m",
    "distribution?kind=request&measure=duration_ms&from=-10m",
    "contributors?from=-5m&of=count",
    "query?from=-10m&step=5&by=route",
)


@dataclass
class SlowPanes(FakePanes):
    """Reading takes a while; counts how many panes were read."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW_MS))
    takes_ms: int = 0
    read_count: int = 0

    def read_packed(self, service: str, step_ms: int, from_ms: int, to_ms: int) -> Sequence[PackedPane]:
        self.clock.advance(self.takes_ms)
        found = super().read_packed(service, step_ms, from_ms, to_ms)
        self.read_count += len(found)
        return found


def busy_console(takes_ms: int = 0) -> Console:
    """Return a console with a pane of fifty routes for each second and ten seconds of ten minutes."""
    starts_ms = range(NOW_MS - MINUTES * 60_000, NOW_MS, 10_000)
    batches = [requests(*((start_ms, f"/r{number}", 404, 5.0) for number in range(50))) for start_ms in starts_ms]
    clock = FakeClock(NOW_MS)
    stored = {1_000: panes_of(batches), 10_000: panes_of(batches, 10_000)}
    return Console(panes=SlowPanes(clock=clock, takes_ms=takes_ms, stored=stored), clock=clock)


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pane_pieces, "_FIRST_PANES", 4)
    monkeypatch.setattr(pane_pieces, "_PIECE_BYTES", 10_000)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("path", HEAVY)
def test_too_many_bytes_are_refused_before_they_are_read(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first panes the size of the others is known."""
    whole = busy_console()
    assert whole.client().get(f"/api/v1/{path}&service=ranker").status_code == 200
    monkeypatch.setattr(work, "MOST_BYTES", 30_000)
    console = busy_console()
    answer = console.client().get(f"/api/v1/{path}&service=ranker")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_much_work"), answer.text
    assert isinstance(whole.panes, SlowPanes)
    assert isinstance(console.panes, SlowPanes)
    assert console.panes.read_count < whole.panes.read_count / 4


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("path", HEAVY)
def test_an_answer_ends_at_its_deadline(path: str) -> None:
    """However slow the server is; time counts over all that is read for the answer."""
    console = busy_console(takes_ms=8_000)
    began_ms = console.clock.now_ms()
    answer = console.client().get(f"/api/v1/{path}&service=ranker")
    assert (answer.status_code, answer.json()["code"]) == (422, "too_much_work"), answer.text
    assert console.clock.now_ms() - began_ms <= 40_000


@pytest.mark.usefixtures("small_pieces")
def test_a_chart_of_too_many_panes_is_drawn_from_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests, errors and percentiles of a busy service lie ready; 4xx and the heatmap are not known then."""
    question = "overview?service=ranker&from=-10m&compare=none"
    whole = busy_console().client().get(f"/api/v1/{question}").json()
    monkeypatch.setattr(work, "MOST_BYTES", 60_000)
    found = busy_console().client().get(f"/api/v1/{question}").json()
    assert found["red"] == {**whole["red"], "e4xx": [None] * found["points"]}
    assert found["red"]["requests"][:3] == [50, 50, 50]
    assert (whole["heat"]["cols"][0], found["heat"]["cols"]) != ([], [[]] * found["points"])


@pytest.mark.parametrize("path", ["overview", "heatmap"])
def test_a_range_of_too_many_points_is_refused(path: str) -> None:
    """An answer has an entry for each point, whether anything is kept of it or not."""
    answer = Console().client().get(f"/api/v1/{path}?service=ranker&from=1970-01-02&to=2023-11-01")
    assert (answer.status_code, answer.json()["code"]) in {(422, "too_many_points"), (422, "too_much_work")}
