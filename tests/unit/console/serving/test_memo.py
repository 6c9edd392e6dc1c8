import threading

import pytest

from barograph_console.serving.memo import Memo
from barograph_console.serving.problems import ApiError
from barograph_console.serving.ready import WorkLimit
from tests.support import FakeClock


def test_a_value_is_made_once_while_it_is_young() -> None:
    clock = FakeClock()
    made: list[int] = []
    memo = Memo[int](clock, bound=10)

    def make() -> int:
        made.append(len(made))
        return made[-1]

    first = [memo.get("a", make, max_age_ms=1_000) for _ in range(2)]
    clock.advance(1_001)
    assert (first, memo.get("a", make, max_age_ms=1_000)) == ([0, 0], 1)


def test_a_value_that_took_long_is_kept_for_as_long_again() -> None:
    """Else those who ask again and again would have it made all the time."""
    clock = FakeClock()
    made: list[int] = []
    memo = Memo[int](clock, bound=10)

    def make() -> int:
        clock.advance(3_000)
        made.append(len(made))
        return made[-1]

    found = [memo.get("a", make, max_age_ms=1_000)]
    clock.advance(3_000)
    found.append(memo.get("a", make, max_age_ms=1_000))
    clock.advance(1)
    assert [*found, memo.get("a", make, max_age_ms=1_000)] == [0, 0, 1]


def test_of_many_who_ask_at_once_one_makes_the_value() -> None:
    """A hundred pages that open together cost what one costs."""
    memo, started, go_on = Memo[str](FakeClock(), bound=10), threading.Event(), threading.Event()
    made: list[str] = []
    found: list[str] = []

    def make() -> str:
        started.set()
        go_on.wait(60)
        made.append("x")
        return "x"

    threads = [threading.Thread(target=lambda: found.append(memo.get("a", make, max_age_ms=1_000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(60)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (made, found) == (["x"], ["x"] * 8)


def test_an_error_is_not_kept() -> None:
    memo = Memo[int](FakeClock(), bound=10)

    def fail() -> int:
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        memo.get("a", fail, max_age_ms=1_000)
    assert memo.get("a", lambda: 5, max_age_ms=1_000) == 5


def test_the_least_recently_used_goes_first() -> None:
    """The bound is of weight, not of number."""
    memo = Memo[str](FakeClock(), bound=10, weigh=len)
    for key in ("aaaa", "bbbb"):
        memo.get(key, lambda key=key: key, max_age_ms=1e9)  # type: ignore[misc]  # the value is the key
    memo.get("aaaa", lambda: "new", max_age_ms=1e9)
    memo.get("cccc", lambda: "cccc", max_age_ms=1e9)
    assert [memo.get(key, lambda: "new", max_age_ms=1e9) for key in ("aaaa", "cccc", "bbbb")] == ["aaaa", "cccc", "new"]


def test_heavy_work_waits_a_little_and_is_then_refused() -> None:
    """With a time to come back; what is free again is taken."""
    limit = WorkLimit(at_once=1, wait_s=0.01)
    with limit, pytest.raises(ApiError) as caught, limit:
        pass
    assert (caught.value.status, caught.value.code, caught.value.headers) == (429, "busy", {"Retry-After": "2"})
    with limit:
        pass
