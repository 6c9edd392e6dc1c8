"""Where a webhook may connect to."""

import threading
from collections.abc import Sequence

import pytest

from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_notifier.posting.address_guard import Resolver, checked_addresses, is_allowed

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"]
PRIVATE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "2a00::5efe:127.0.0.1",
    "2a00::200:5efe:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::a00:1",
    "192.0.0.8",
    "192.88.99.1",
    "3fff::1",
]
NEVER = ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0", "not an address", ""]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, allow_private=False)
    assert is_allowed(address, allow_private=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_leave(address: str) -> None:
    """Loopback, the metadata service, carrier NAT, documentation, and all ways to write IPv4 in IPv6."""
    assert not is_allowed(address, allow_private=False)
    assert is_allowed(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_a_target(address: str) -> None:
    assert not is_allowed(address, allow_private=False)
    assert not is_allowed(address, allow_private=True)


def resolving(*addresses: str) -> Resolver:
    def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


def test_a_name_with_one_private_address_is_not_connected_to_and_asked_for_again() -> None:
    """A mixed answer is how a name is rebound between two look-ups; the next answer may be right again."""
    with pytest.raises(ChannelUnavailableError, match=r"'hook\.example' is at 10\.0\.0\.1"):
        checked_addresses(
            "hook.example", 443, allow_private=False, timeout_s=1, resolver=resolving("1.1.1.1", "10.0.0.1")
        )


def test_the_checked_addresses_come_back_in_order() -> None:
    found = checked_addresses("h", 443, allow_private=False, timeout_s=1, resolver=resolving("1.1.1.1", "1.0.0.1"))
    assert found == ["1.1.1.1", "1.0.0.1"]


def test_an_address_in_the_url_is_not_looked_up_but_checked() -> None:
    with pytest.raises(ChannelRefusedError):
        checked_addresses("127.0.0.1", 80, allow_private=False, timeout_s=1, resolver=resolving("1.1.1.1"))


def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    def fail(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(ChannelUnavailableError, match="does not resolve"):
        checked_addresses("h", 80, allow_private=False, timeout_s=1, resolver=fail)
    with pytest.raises(ChannelUnavailableError, match="has no address"):
        checked_addresses("h", 80, allow_private=False, timeout_s=1, resolver=resolving())


def test_a_silent_name_server_does_not_hold_the_sender() -> None:
    """The system's resolver has no timeout of its own."""
    answer = threading.Event()

    def hang(_host: str, _port: int) -> Sequence[str]:
        answer.wait(30)
        return ["1.1.1.1"]

    try:
        with pytest.raises(ChannelUnavailableError, match="in time"):
            checked_addresses("h", 80, allow_private=False, timeout_s=0.05, resolver=hang)
    finally:
        answer.set()
