"""What ``barograph shards`` takes and tells."""

import pytest

from barograph_cli.failure import CommandError
from barograph_cli.manage.shards import run, shard_facts
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout_change import pin_service
from barograph_core.server.slots import hash_slot
from tests.support import fake_connection


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["set", "0"], "1 to 256"),
        (["set", "257"], "1 to 256"),
        (["pin", "a b"], "not a service's name"),
        (["pin", "ranker", "{x}"], "not a shard's name"),
        (["unpin", "a:b"], "not a service's name"),
    ],
)
def test_what_cannot_be_is_refused_before_the_server_is_asked(arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run([*arguments, "--url", "redis://127.0.0.1:1"])


def test_each_shard_tells_who_lives_there_and_who_will() -> None:
    connection = fake_connection()
    connection.command("HSET", ShardKeys().closed, "web", 1)
    first, second = shard_facts(connection, pin_service(connection, "baro", "ranker", "77"))
    assert (first.tag, first.services, first.is_spread, first.pinned) == ("0", ("web",), True, ())
    assert (second.tag, second.services, second.is_spread, second.pinned) == ("77", (), False, ("ranker",))
    assert second.slot == hash_slot("77")
