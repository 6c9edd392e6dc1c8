"""Remembers answers for a moment, so that a hundred viewers cost as much as one."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from barograph_core.clock import Clock

V = TypeVar("V")


@dataclass(slots=True)
class _Flight(Generic[V]):
    """A value that one thread is making while others wait for it."""

    is_done: threading.Event = field(default_factory=threading.Event)
    value: V | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Held(Generic[V]):
    """A value, when its making began, how long that took, and what it weighs."""

    began_ms: float
    took_ms: float
    weight: int
    value: V


class Memo(Generic[V]):
    """Holds values up to a bound, the least recently used go first. For any number of threads.

    Of callers that ask for the same value at once, one makes it and the others wait: a page that reconnects in a
    hundred browsers must not ask the store a hundred times.
    """

    def __init__(self, clock: Clock, *, bound: int, weigh: Callable[[V], int] = lambda _value: 1) -> None:
        """Keep values of at most ``bound`` in all, as ``weigh`` counts each."""
        self._clock = clock
        self._bound = bound
        self._weigh = weigh
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, _Held[V]] = OrderedDict()
        self._weight = 0
        self._flights: dict[Hashable, _Flight[V]] = {}

    def get(self, key: Hashable, make: Callable[[], V], *, max_age_ms: float) -> V:
        """Return the value of ``key``, made now unless one no older than ``max_age_ms`` is held.

        One that took long to make may be older, by as long as it took: else each caller would make it again.

        An error of ``make`` is raised in every thread that waits for it, and is not kept.
        """
        with self._lock:
            held = self._held.get(key)
            if held is not None and self._clock.monotonic_ms() - held.began_ms <= max(max_age_ms, 2 * held.took_ms):
                self._held.move_to_end(key)
                return held.value
            flight = self._flights.get(key)
            is_ours = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight[V]()
        if is_ours:
            return self._make(key, make, flight)
        flight.is_done.wait()
        if flight.error is not None:
            raise flight.error
        return flight.value  # type: ignore[return-value]  # it is done without an error, so there is a value

    def _make(self, key: Hashable, make: Callable[[], V], flight: _Flight[V]) -> V:
        began_ms = self._clock.monotonic_ms()
        try:
            value = flight.value = make()
        except Exception as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
                if flight.error is None and flight.value is not None:
                    took_ms = self._clock.monotonic_ms() - began_ms
                    self._keep(key, _Held(began_ms, took_ms, self._weigh(flight.value), flight.value))
            flight.is_done.set()
        return value

    def _keep(self, key: Hashable, made: _Held[V]) -> None:
        replaced = self._held.pop(key, None)
        self._held[key] = made
        self._weight += made.weight - (0 if replaced is None else replaced.weight)
        while self._weight > self._bound:
            _, dropped = self._held.popitem(last=False)
            self._weight -= dropped.weight
