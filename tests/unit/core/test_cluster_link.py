"""The key by which a command finds its node."""

import pytest

from barograph_core.cluster_link import key_of
from barograph_core.keys import ShardKeys, hash_slot, slot_of_key
from barograph_core.link import Value


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("HGETALL", b"k"), b"k"),
        (("FCALL", "f", 2, "k", "l", "x"), "k"),
        (("FCALL_RO", "baro_version_1", 0), None),
        (("XREADGROUP", "GROUP", "g", "c", "COUNT", 5, "BLOCK", 9, "STREAMS", "k", ">"), "k"),
        (("XINFO", "GROUPS", "k"), "k"),
        (("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM"), "k"),
        (("XPENDING", "k", "g"), "k"),
        (("TIME",), None),
        (("FUNCTION", "LOAD", "REPLACE", "…"), None),
        (("PING",), None),
    ],
)
def test_commands_are_routed_by_their_first_key(command: tuple[Value, ...], key: str | bytes | None) -> None:
    assert key_of(command) == key


def test_keys_of_a_shard_lie_in_the_slot_of_its_tag() -> None:
    keys = ShardKeys("baro", "117")
    assert {slot_of_key(keys.events), slot_of_key(keys.parts("a", 1).encode())} == {hash_slot("117")}


@pytest.mark.parametrize("key", ["plain", "empty{}braces", "open{brace"])
def test_a_key_without_a_tag_is_hashed_whole(key: str) -> None:
    """As the specification has it."""
    assert slot_of_key(key) == hash_slot(key)


def test_only_the_first_braces_count() -> None:
    assert slot_of_key("a{one}{two}") == hash_slot("one")
