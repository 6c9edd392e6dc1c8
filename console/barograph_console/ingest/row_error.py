"""What is wrong with one event of a request."""


class RowError(ValueError):
    """An event cannot be meant so; the others of its request are none the worse for it.

    Attributes:
        where: The part that is wrong, such as ``duration_ms``; empty for the whole.
    """

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(message)


def shown(value: object) -> str:
    """Return a value for a message, cut if it is long."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
