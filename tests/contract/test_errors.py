"""How the client library hands errors over."""

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.server.connection import Connection


def test_an_error_within_a_pipeline_is_told_as_it_is(connection: Connection) -> None:
    """The client library would put the command, keys and all, before the text."""
    connection.command("SET", "OOM NOGROUP", "x")
    with pytest.raises(CommandRefusedError, match=r"^WRONGTYPE"):
        connection.pipeline([["GET", "x"], ["HGETALL", "OOM NOGROUP"]])
