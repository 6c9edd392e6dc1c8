"""The strip renderer, by the pixels that it leaves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import now_ms
from tests.browser.fake_console import FakeConsole
from tests.browser.ranker import Ranker

pytestmark = pytest.mark.browser

DRAW = (Path(__file__).parent / "scripts" / "draw.js").read_text()

Draw = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=[1, 1.5, 2, 3], ids=["1x", "1.5x", "2x", "3x"])
def ratio(request: pytest.FixtureRequest) -> float:
    found: float = request.param
    return found


@pytest.fixture(scope="module")
def draw(browser: Browser, ratio: float) -> Iterator[Draw]:
    console = FakeConsole(Ranker(begun_ms=now_ms()))
    with console.running():
        context = browser.new_context(bypass_csp=True, device_scale_factor=ratio, timezone_id="Europe/Berlin")
        page: Page = context.new_page()
        page.goto(f"{console.url}/static/page.webmanifest")

        def drawn(**options: Any) -> dict[str, Any]:
            found: dict[str, Any] = page.evaluate(DRAW, options)
            return found

        yield drawn
        context.close()


def inked(found: dict[str, Any], ratio: float, left: int, right: int) -> int:
    """Return how many columns of CSS pixels ``left`` to ``right`` hold ink."""
    return sum(1 for x in range(round(left * ratio), round(right * ratio)) if str(x) in found["columns"])


def test_the_canvas_has_the_pixels_of_the_screen(draw: Draw, ratio: float) -> None:
    found = draw(values=[1, 2, 3])
    assert (found["width"], found["height"]) == (220 * ratio, 100 * ratio)


def test_another_size_is_drawn_anew_and_sharp(draw: Draw, ratio: float) -> None:
    found = draw(values=[5] * 10, resized=320)
    assert (found["width"], found["height"]) == (320 * ratio, 100 * ratio)
    assert inked(found, ratio, 220, 300) >= 75 * ratio


def test_a_gap_breaks_the_line_and_is_no_zero(draw: Draw, ratio: float) -> None:
    found = draw(values=[5, 5, 5, None, None, None, 5, 5, 5, 5])
    assert inked(found, ratio, 32, 68) >= 30 * ratio
    # Points are in the middle of their bucket: the line ends at 70 and begins at 150.
    assert inked(found, ratio, 74, 146) == 0
    assert inked(found, ratio, 152, 208) >= 50 * ratio


def test_a_lone_point_is_seen(draw: Draw, ratio: float) -> None:
    found = draw(values=[None, None, None, None, 5, None, None, None, None, None])
    assert 2 * ratio <= inked(found, ratio, 100, 120) <= 6 * ratio


def test_the_log_scale_gives_each_decade_the_same_height(draw: Draw, ratio: float) -> None:
    found = draw(values=[1, 1, 1, 10, 10, 10, 100, 100, 100, 1000], scale="log")

    def middle(x: int) -> float:
        rows: list[int] = found["columns"][str(round(x * ratio))]
        return sum(rows) / len(rows)

    one, ten, hundred = middle(50), middle(110), middle(170)
    assert one - ten == pytest.approx(ten - hundred, abs=1.5)
    assert one - ten > 15 * ratio


def test_the_linear_scale_begins_at_zero(draw: Draw, ratio: float) -> None:
    found = draw(values=[0, 0, 0, 50, 50, 50, 100, 100, 100, 100])
    zero, half, full = (found["columns"][str(round(x * ratio))] for x in (50, 110, 170))
    assert zero[0] / ratio == pytest.approx(94, abs=2)
    assert (zero[0] - half[0]) == pytest.approx(half[0] - full[0], abs=2)


def test_missing_producers_are_hatched(draw: Draw, ratio: float) -> None:
    found = draw(values=[5, 5, 5, None, None, None, 5, 5, 5, 5], missing=[3, 4, 5], ink="grey")
    assert inked(found, ratio, 82, 138) > 50 * ratio
    assert inked(found, ratio, 145, 215) < 10 * ratio


def test_a_gap_without_missing_producers_stays_blank(draw: Draw, ratio: float) -> None:
    found = draw(values=[5, 5, 5, None, None, None, 5, 5, 5, 5], ink="grey")
    assert inked(found, ratio, 82, 138) < 10 * ratio


def test_the_open_point_is_dotted(draw: Draw, ratio: float) -> None:
    closed = inked(draw(values=[5] * 10), ratio, 192, 208)
    dotted = inked(draw(values=[5] * 10, is_open=True), ratio, 192, 208)
    assert 0 < dotted < closed * 0.75


def test_a_rule_and_a_release_have_their_lines(draw: Draw, ratio: float) -> None:
    line = draw(values=[5] * 10, limits=[{"value": 4, "words": "alert above 4"}], ink="purple")
    words = [row for x, rows in line["columns"].items() if int(x) < 60 * ratio for row in rows]
    dashes = {row for x, rows in line["columns"].items() if int(x) > 180 * ratio for row in rows}
    assert min(words) < min(dashes) <= max(dashes) < max(words), "the words stand on the line, which they break"
    assert max(line["rows"].values()) > 45 * ratio
    flag = draw(values=[5] * 10, flags=[5_000], ink="green")
    assert inked(flag, ratio, 0, 110) <= 2 * ratio
    assert inked(flag, ratio, 118, 123) >= 1


@pytest.mark.parametrize("values", [[], [5], [5] * 1_440], ids=["none", "one", "1440"])
def test_any_number_of_points_is_drawn(draw: Draw, values: list[int]) -> None:
    found = draw(values=values)
    assert bool(found["columns"]) == bool(values)


def test_an_outlier_among_many_points_is_kept(draw: Draw, ratio: float) -> None:
    """Where several points share a pixel, their extremes are drawn."""
    values = [5.0] * 1_440
    values[701] = 100.0
    found = draw(values=values)
    assert min(min(rows) for rows in found["columns"].values()) < 20 * ratio


def test_time_labels_follow_daylight_saving(draw: Draw) -> None:
    """The night of 25 October 2026 has 03:00 only after two hours of 02:00 in Berlin."""
    begin = 1_792_875_600_000
    ticks = draw(values=[1] * 8, from_ms=begin, step_ms=3_600_000, tz="", width=1_200)["ticks"]
    assert [tick["label"] for tick in ticks] == [
        "23:00",
        "25 Oct",
        "01:00",
        "02:00",
        "03:00",
        "04:00",
        "05:00",
        "06:00",
    ]
    hours = [(tick["ms"] - begin) // 3_600_000 for tick in ticks]
    assert hours in ([0, 1, 2, 3, 5, 6, 7, 8], [0, 1, 2, 4, 5, 6, 7, 8])


def test_a_cell_of_the_heatmap_is_one_point_by_one_row(draw: Draw, ratio: float) -> None:
    heat: list[list[int]] = [[], [], [], [], [], [8, 10], [], [], [], []]
    found = draw(values=[1] * 10, heat=heat, ink="cell")
    cells = sorted(map(int, found["columns"]))
    assert cells == list(range(round(120 * ratio), round(140 * ratio)))
    rows = {tuple(rows) for rows in found["columns"].values()}
    assert len(rows) == 1
