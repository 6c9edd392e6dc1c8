"""Series over the cap are folded, and rules see what they are folded into."""

from collections.abc import Callable

from tests.virtual_pipeline import VirtualPipeline, custom

QUEUE = """
[[rule]]
name = "queue"
on = "custom"
where = { name = "queue" }
by = ["tenant"]
window = "5s"
when = "value.max > 100"
"""


def test_a_series_over_the_cap_is_not_invisible(virtual: Callable[..., VirtualPipeline]) -> None:
    """A new tenant that finds no place alerts as one of the others of its queue."""
    world = virtual(tick_ms=500, series_cap=20)
    world.alerter(QUEUE)
    api = world.producer()

    def send(second: int, at_ms: int) -> None:
        api.send("custom", [custom("queue", at_ms, 1.0, tenant=f"t{number}") for number in range(30)])
        if second > 10:
            api.send("custom", [custom("queue", at_ms, 500.0, tenant="newcomer")])

    world.each_second(range(20), send)
    world.run_until(20)
    (fired,) = world.transitions
    assert (fired.after.value, fired.labels) == ("firing", {"name": "queue", "tenant": "__other__"})
    assert (fired.value, fired.episode_ms % 60_000) == (500.0, 12_000)
