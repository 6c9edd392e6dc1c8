"""Computes rates of counters between two readings."""


class Rates:
    """Remembers the last reading of each counter, and returns its growth since."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}

    def per_s(self, name: str, value: float | None, now_s: float) -> float | None:
        """Return the growth per second since the last reading.

        Args:
            name: The name of the counter.
            value: Its value now; ``None`` if it cannot be read.
            now_s: The time of a clock that never goes back, the same clock each time.

        Returns:
            ``None`` at the first reading, after a failed one, if no time has passed, or if the counter went back
            (an interface or disk was removed, and its share with it).
        """
        last = self._last.pop(name, None)
        if value is None:
            return None
        self._last[name] = (now_s, value)
        if last is None or now_s <= last[0] or value < last[1]:
            return None
        return (value - last[1]) / (now_s - last[0])

    def growth(self, name: str, value: float) -> float | None:
        """Return the growth since the last reading; ``None`` at the first one and if the counter went back."""
        last = self._last.get(name)
        self._last[name] = (0.0, value)
        return None if last is None or value < last[1] else value - last[1]

    def forget(self) -> None:
        """Start over: the next reading is the first."""
        self._last.clear()
