"""Translates redis-py's errors into ours, once: no ``redis.*`` exception leaves this room."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from redis import exceptions as client_errors

from barograph_core.errors import BarographError, CommandRefusedError, NoGroupError, StreamUnavailableError

# RedisClusterException is not a subclass of the client's other errors.
CLIENT_ERRORS: Final = (client_errors.RedisError, client_errors.RedisClusterException, OSError)

_REASONS: Final = (
    # redis-py's class, our reason; the first match counts
    (client_errors.AuthenticationError, "authentication"),
    (client_errors.AuthorizationError, "authentication"),
    (client_errors.BusyLoadingError, "loading"),
    (client_errors.OutOfMemoryError, "out_of_memory"),
    (client_errors.ReadOnlyError, "read_only"),
    (client_errors.TimeoutError, "timeout"),
    (client_errors.ConnectionError, "unreachable"),
    (OSError, "unreachable"),
    # redis-py removes the error code from the texts of these.
    (client_errors.NoPermissionError, "refused"),
    (client_errors.ClusterDownError, "refused"),
    (client_errors.TryAgainError, "refused"),
    (client_errors.RedisClusterException, "unreachable"),
)
_REFUSALS: Final = (
    # beginning of the server's text, our reason
    ("OOM ", "out_of_memory"),
    ("READONLY ", "read_only"),
    ("Function not found", "no_library"),
    ("LOADING ", "loading"),
    ("NOAUTH ", "authentication"),
    ("WRONGPASS ", "authentication"),
    ("NOPERM ", "refused"),
    ("MISCONF ", "refused"),
    ("MASTERDOWN ", "refused"),
    ("CLUSTERDOWN ", "refused"),
    ("TRYAGAIN ", "refused"),
    ("NOREPLICAS ", "refused"),
    # A foreign script has been running for seconds.
    ("BUSY ", "refused"),
    # A blocked read ends so when the master became a replica or the stream was deleted.
    ("UNBLOCKED ", "refused"),
    # NOPERM inside a function: the texts of Redis and of Valkey.
    ("The user executing the script can't run", "refused"),
    ("ACL failure in script", "refused"),
)


def translate(error: Exception) -> BarographError:
    """Return our error for one of ``CLIENT_ERRORS``."""
    text = str(error)
    if isinstance(error, client_errors.RedisClusterException) and isinstance(error.__cause__, CLIENT_ERRORS):
        # No node gave its map of slots; the error of the last node is the cause.
        return translate(error.__cause__)
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return StreamUnavailableError(reason, text)
    if isinstance(error, client_errors.AskError):
        return CommandRefusedError(f"this is a node of a Cluster, its URL must begin with redis+cluster:// ({text})")
    # Compare only the beginning: the rest may hold a key, and with it a service's name.
    if text.startswith("NOGROUP"):
        return NoGroupError(text)
    for beginning, reason in _REFUSALS:
        if text.startswith(beginning):
            return StreamUnavailableError(reason, text)
    return CommandRefusedError(text)


@contextmanager
def skip_if_full() -> Generator[None]:
    """Leave the block when the server is out of memory: for writes of figures that are not essential.

    A full server refuses such writes but accepts the calls that free memory: those must not wait for it.
    """
    try:
        yield
    except StreamUnavailableError as error:
        if error.reason != "out_of_memory":
            raise
