"""What the producer keeps of the labels of requests, which may come from strangers."""

import tracemalloc
from typing import cast

from barograph_core.events.kinds import KINDS
from barograph_producer._pack.labels import LabelSets, cut_route
from barograph_producer._record.buffer import Buffer
from barograph_producer._record.request_keys import RequestKeys
from barograph_producer._record.requests import make_sampled_request_recorder
from barograph_producer._web.observation import Observation
from tests.unit.producer.web.asgi_driver import Sink

LONG = 50_000
COUNT = 400


def refuse(*_: object) -> None:
    raise AssertionError("the buffer has room")


def kept_bytes_of(held: object, before: int) -> int:
    assert held is not None
    return tracemalloc.get_traced_memory()[0] - before


def test_long_routes_are_cut_before_they_are_kept() -> None:
    """400 raw paths of 50 kB would be 20 MB."""
    keys = RequestKeys(8_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(COUNT):
            keys.resolve(f"/{i}/" + "x" * LONG, "y" * LONG, 200)
        assert len(keys) == COUNT
        assert kept_bytes_of(keys, before) < COUNT * 4_000
    finally:
        tracemalloc.stop()


def test_a_cut_route_has_the_label_of_the_whole_one() -> None:
    for route in ("/" + "x" * LONG, "/" + "é" * LONG, "/" + "\U0001f600" * LONG, "/\ud800" * LONG):
        keys = RequestKeys(8)
        keys.resolve(route, "GET", 200)
        assert cut_route(keys.key(0)[0]) == cut_route(route)


def test_routes_that_differ_only_beyond_the_limit_have_one_mark() -> None:
    keys = RequestKeys(8)
    marks = {keys.resolve("/" + "x" * LONG + str(i), "GET", 200) for i in range(5)}
    assert len(marks) == len(keys) == 1


def test_beyond_the_bound_of_keys_a_record_holds_the_cut_route() -> None:
    raw = RequestKeys(0).resolve("/" + "x" * LONG, "GET", 200)
    assert len(cast("tuple[str, ...]", raw)[0]) <= 257


def test_a_method_that_is_too_long_stays_invalid() -> None:
    """Cut to the limit it would pass as another method."""
    keys = RequestKeys(8)
    keys.resolve("/", "M" * LONG, 200)
    (number,) = LabelSets(8).numbers("request", [keys.key(0)])
    assert number == -1


def test_a_sampled_request_waits_with_its_cut_route() -> None:
    buffer = Buffer("sampled_request", 10)
    buffer.open()
    record = make_sampled_request_recorder(buffer, refuse, lambda: None, 1_000, lambda: 1.0, lambda _: None)
    record("/" + "x" * LONG, "GET", 200, 1.0)
    assert len(cast("str", buffer.records[1])) <= 257


def test_label_sets_remember_no_long_text() -> None:
    """A long label of any kind is refused, or a route cut, without keeping what was passed."""
    sets = LabelSets(1_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(COUNT):
            text = str(i) + "x" * LONG
            for kind in KINDS.values():
                sets.numbers(kind.name, [(text, "y", 200)])
        assert kept_bytes_of(sets, before) < COUNT * 4_000
    finally:
        tracemalloc.stop()


def test_a_raw_path_that_an_application_names_as_its_route_is_cut() -> None:
    sink = Sink()
    observation = Observation(sink, exclude=(), labels=None, sample_every=1, always_slow_ms=1_000)
    observation.record_of("/" + "x" * LONG, "GET", 200)(1.0)
    assert [recorded.route for recorded in sink.recorded] == ["/" + "x" * 255]
