"""What ``barograph export`` refuses."""

from pathlib import Path

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.history.export import run
from barograph_cli.history.log.reader import refuse_without_log
from barograph_core.keyspace.keys import ShardKeys
from tests.support import fake_connection


@pytest.mark.parametrize("output", ["", ".", "/", ".."])
def test_an_output_that_is_no_file_is_refused_before_the_server_is_asked(output: str) -> None:
    with pytest.raises(CommandError, match="is not the name of a file"):
        run(["--output", output, "--url", "redis://127.0.0.1:1"])


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not the name of a file"):
        run(["--output", str(tmp_path), "--url", "redis://127.0.0.1:1"])


def test_a_prefix_without_a_log_is_told() -> None:
    """A mistyped one would look like a log without events."""
    connection, shards = fake_connection(), [ShardKeys("baro", "0"), ShardKeys("baro", "1")]
    with pytest.raises(CommandError, match="there is no events stream in prefix 'baro'"):
        refuse_without_log(connection, shards, "baro")
    connection.command("XADD", shards[1].events, "*", "v", "1")
    refuse_without_log(connection, shards, "baro")
