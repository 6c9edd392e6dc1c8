"""What install writes."""

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.manage.install import install
from barograph_core.keyspace.layout import Layout, read_layout, spread_tags
from barograph_core.settings.server import ServerSettings
from tests.support import fake_connection


def test_the_layout_is_written_where_it_is_absent() -> None:
    connection = fake_connection()
    install(connection, ServerSettings(shards=2))
    assert read_layout(connection, "baro") == Layout("baro", 1, spread_tags(2))


def test_a_second_install_changes_nothing() -> None:
    connection = fake_connection()
    install(connection, ServerSettings(shards=2))
    connection.command("HSET", "baro:meta", "epoch", 4)
    assert install(connection, ServerSettings()) == "current"
    assert read_layout(connection, "baro") == Layout("baro", 4, spread_tags(2))


def test_another_number_of_shards_is_refused() -> None:
    """It would send the events of a service to another shard than its state."""
    connection = fake_connection()
    install(connection, ServerSettings(shards=2))
    with pytest.raises(CommandError, match="2 shards"):
        install(connection, ServerSettings(shards=3))
