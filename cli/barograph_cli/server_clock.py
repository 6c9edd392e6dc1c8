"""The server's clock: what moments and ages are counted from, so that one machine's skew does not matter."""

from barograph_core.stream import Connection, as_int, as_list


def read_now(connection: Connection) -> int:
    """Return the server's clock in ms since the epoch."""
    seconds, micros = map(as_int, as_list(connection.command("TIME")))
    return seconds * 1_000 + micros // 1_000
