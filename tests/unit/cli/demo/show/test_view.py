"""What a demo run prints into a pipe."""

import io

from barograph_cli.demo.show.numbers import DemoNumbers, EndpointFigures, ModelFigures
from barograph_cli.demo.show.scene import Scene
from barograph_cli.demo.show.view import PlainView

ENDPOINT = EndpointFigures("/predict", "POST", 379, 37.9, 0.235, 6.1, 900.0, None)


def test_every_figure_bears_its_name() -> None:
    """Lines of a log have no heading above them."""
    out = io.StringIO()
    scene = Scene(
        started_ms=0, hints=(), figures=DemoNumbers((ENDPOINT,), (ModelFigures("water-flow", "1", 557, 20.4),))
    )
    PlainView(out).show(scene)
    assert out.getvalue().splitlines() == [
        "  POST /predict               37.9/s   23.5% failed  p50     6.1  p95   900.0  p99       - ms",
        "  model water-flow 1  MAE    20.4 l/s",
    ]
