"""What the server says, in our own words."""

import pytest
from redis import exceptions as client_errors

from barograph_core.errors import BarographError, CommandRefusedError, NoGroupError, StreamUnavailableError
from barograph_core.server.connection import Connection


class Refusing:
    """A client whose every command fails as the client library makes it fail."""

    def __init__(self, error: Exception) -> None:
        self.response_callbacks: dict[str, object] = {}
        self._error = error

    def execute_command(self, *_args: object) -> None:
        raise self._error


def translated(error: Exception) -> BarographError:
    with pytest.raises(BarographError) as caught:
        Connection(Refusing(error)).command("GET", "x")  # type: ignore[arg-type]  # all that command() uses
    return caught.value


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_errors.NoPermissionError("this user has no permissions to run the 'get' command"), "refused"),
        (client_errors.ClusterDownError("The cluster is down"), "refused"),
        (client_errors.MasterDownError("Link with MASTER is down"), "refused"),
        (client_errors.TryAgainError("Multiple keys request during rehashing of slot"), "refused"),
        (client_errors.ResponseError("BUSY Redis is busy running a script."), "refused"),
        (client_errors.ResponseError("UNBLOCKED the stream key no longer exists"), "refused"),
        (client_errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "refused"),
        (client_errors.ResponseError("ACL failure in script: User bob has no permissions"), "refused"),
        (client_errors.ResponseError("The user executing the script can't run this command"), "refused"),
        (client_errors.ResponseError("Function not found"), "no_library"),
        (client_errors.OutOfMemoryError("command not allowed"), "out_of_memory"),
        (client_errors.ReadOnlyError("You can't write against a read only replica."), "read_only"),
        (client_errors.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (client_errors.AuthenticationError("Authentication required."), "authentication"),
        (client_errors.TimeoutError("Timeout reading from socket"), "timeout"),
        (client_errors.ConnectionError("Connection refused"), "unreachable"),
    ],
)
def test_what_will_pass_is_unavailable_with_its_reason(error: Exception, reason: str) -> None:
    """A producer drops what is refused for good, and keeps what may be taken later."""
    found = translated(error)
    assert isinstance(found, StreamUnavailableError)
    assert found.reason == reason


@pytest.mark.parametrize("service", ["NOGROUP", "OOM", "LOADING", "BUSY"])
def test_a_name_in_the_text_is_not_a_reason(service: str) -> None:
    """Services choose their names; only how the text begins says what happened."""
    error = client_errors.ResponseError(f"barograph: baro:{{0}}:producers:{service} holds a string")
    assert isinstance(translated(error), CommandRefusedError)


def test_a_missing_group_is_told_apart() -> None:
    """The consumer loop creates it again."""
    assert isinstance(
        translated(client_errors.ResponseError("NOGROUP No such key 'e' or consumer group 'g'")), NoGroupError
    )
