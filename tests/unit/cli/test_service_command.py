"""The end of a service that is not there, and of one that is on its way out."""

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.service_command import ServiceCommand
from barograph_core.keys import ShardKeys
from tests.support import FakeClock, append, fake_connection, request_batch


def test_a_service_of_which_nothing_is_left_cannot_be_deleted(clock: FakeClock) -> None:
    """A mistyped name is told at once, instead of as deleted."""
    command = ServiceCommand(fake_connection(), ShardKeys(), "nobody", wait_s=10, clock=clock)
    with pytest.raises(CommandError, match="there is no service 'nobody'"):
        command.delete(is_with_streams=False)


def test_a_service_whose_events_alone_are_there_is_deleted_and_that_goes_on(clock: FakeClock) -> None:
    """Nobody has read them yet: the second time it is known by its deletion, which is not at its end."""
    connection, keys = fake_connection(), ShardKeys()
    append(connection, keys, request_batch([(1_000, "/a", 200, 1.0)]))
    command = ServiceCommand(connection, keys, "ranker", wait_s=0, clock=clock)
    first = command.delete(is_with_streams=True)
    connection.command("XTRIM", keys.events, "MAXLEN", 0)
    second = command.delete(is_with_streams=True)
    assert (bool(first.waits_for), second.service) == (True, "ranker")
