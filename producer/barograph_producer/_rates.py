"""Rates of counters between two looks at them."""


class Rates:
    """Remembers the last value of each counter, and says how fast it grew since."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}

    def per_s(self, name: str, value: float | None, now_s: float) -> float | None:
        """Return the growth a second since the last look.

        Args:
            name: Of the counter.
            value: Its value now, ``None`` when it cannot be read.
            now_s: Of any clock that does not go back, the same one each time.

        Returns:
            ``None`` at the first look, after one that failed, when no time has passed, or when the counter
            went back (an interface or disk went away and took its share with it).
        """
        last = self._last.pop(name, None)
        if value is None:
            return None
        self._last[name] = (now_s, value)
        if last is None or now_s <= last[0] or value < last[1]:
            return None
        return (value - last[1]) / (now_s - last[0])

    def growth(self, name: str, value: float) -> float | None:
        """Return the growth since the last look, ``None`` at the first one and when it went back."""
        last = self._last.get(name)
        self._last[name] = (0.0, value)
        return None if last is None or value < last[1] else value - last[1]

    def forget(self) -> None:
        """Begin anew: the next look is the first."""
        self._last.clear()
