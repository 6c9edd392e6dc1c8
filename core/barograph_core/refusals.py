"""Turns redis-py's errors into ours, once, at the edge: no ``redis.*`` exception leaves ``barograph_core.stream``."""

from typing import Final

from redis import exceptions as client_errors

from barograph_core.errors import BarographError, CommandRefusedError, NoGroupError, StreamUnavailableError

# RedisClusterException stands beside the client's other errors, not below them.
CLIENT_ERRORS: Final = (client_errors.RedisError, client_errors.RedisClusterException, OSError)

_REASONS: Final = (
    # redis-py's class, our reason; the first that fits
    (client_errors.AuthenticationError, "authentication"),
    (client_errors.AuthorizationError, "authentication"),
    (client_errors.BusyLoadingError, "loading"),
    (client_errors.OutOfMemoryError, "out_of_memory"),
    (client_errors.ReadOnlyError, "read_only"),
    (client_errors.TimeoutError, "timeout"),
    (client_errors.ConnectionError, "unreachable"),
    (OSError, "unreachable"),
    # redis-py takes the code off the text of these.
    (client_errors.NoPermissionError, "refused"),
    (client_errors.ClusterDownError, "refused"),
    (client_errors.TryAgainError, "refused"),
    (client_errors.RedisClusterException, "unreachable"),
)
_REFUSALS: Final = (
    # how the server's text begins, our reason
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
    # Somebody's script runs for seconds.
    ("BUSY ", "refused"),
    # A blocked read when the master became a replica, or when the stream was deleted.
    ("UNBLOCKED ", "refused"),
    # NOPERM inside a function, in the words of Redis and of Valkey.
    ("The user executing the script can't run", "refused"),
    ("ACL failure in script", "refused"),
)


def translate(error: Exception) -> BarographError:
    """Return our error for one of ``CLIENT_ERRORS``."""
    text = str(error)
    if isinstance(error, client_errors.RedisClusterException) and isinstance(error.__cause__, CLIENT_ERRORS):
        # No node could be asked who holds what; the last one's error tells why.
        return translate(error.__cause__)
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return StreamUnavailableError(reason, text)
    if isinstance(error, client_errors.AskError):
        return CommandRefusedError(f"this is a node of a Cluster, its URL must begin with redis+cluster:// ({text})")
    # Only the beginning: further on there may be a key, with whatever name a service gave itself.
    if text.startswith("NOGROUP"):
        return NoGroupError(text)
    for beginning, reason in _REFUSALS:
        if text.startswith(beginning):
            return StreamUnavailableError(reason, text)
    return CommandRefusedError(text)
