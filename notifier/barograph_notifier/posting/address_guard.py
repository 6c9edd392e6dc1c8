"""Decides which addresses a webhook may connect to: the guard against server-side request forgery.

Without it, a person who can edit the configuration or a name server's answer could make the notifier send requests to
the metadata service, the database or anything else that trusts this host.
"""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Interface identifiers of ISATAP, which end in an IPv4 address.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
# Special networks that some versions of Python count as global: protocol assignments, the 6to4 relays, documentation.
_SPECIAL: Final = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))


def system_resolver(host: str, port: int) -> list[str]:
    """Return the addresses of ``host`` in the system's order.

    Raises:
        OSError: The name has no address, or the name server does not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def checked_addresses(
    host: str, port: int, *, allow_private: bool, timeout_s: float, resolver: Resolver = system_resolver
) -> list[str]:
    """Resolve ``host`` once and return its addresses, all of which are allowed.

    Connect to these and never to the name: a second look-up may give another answer (DNS rebinding).

    Raises:
        ChannelRefusedError: ``host`` is an address that is not allowed.
        ChannelUnavailableError: The name does not resolve in time, or one of its addresses is not allowed. One is
            enough: a name with both a public and a private address is suspicious. Try again, because the next answer
            may be right: a captive portal or a name server that was just restarted gives a private one for a while.
    """
    addresses = _resolve_within(host, port, timeout_s, resolver)
    for address in addresses:
        if not is_allowed(address, allow_private=allow_private):
            hint = "" if allow_private else "; allow_private = true permits private and loopback ones"
            raise (ChannelRefusedError if _is_address(host) else ChannelUnavailableError)(
                f"{host!r} is at {address}, not a public address{hint}"
            )
    return addresses


def check_address(host: str, *, allow_private: bool) -> None:
    """Check ``host`` if it is an address, where a name is looked up elsewhere.

    Raises:
        ChannelRefusedError: The address is not allowed.
    """
    if _is_address(host) and not is_allowed(host, allow_private=allow_private):
        raise ChannelRefusedError(f"{host!r} is not a public address; allow_private = true permits private ones")


def _resolve_within(host: str, port: int, timeout_s: float, resolver: Resolver) -> list[str]:
    if _is_address(host):
        return [host]
    answer: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answer.put(list(resolver(host, port)))
        except (OSError, UnicodeError) as error:
            answer.put(error)

    # The system's resolver has no timeout: it could block for longer than the sender's lease.
    threading.Thread(target=resolve, name="barograph-resolve", daemon=True).start()
    try:
        found = answer.get(timeout=max(timeout_s, 0.001))
    except queue.Empty:
        raise ChannelUnavailableError(f"{host!r} did not resolve in time") from None
    if isinstance(found, Exception):
        raise ChannelUnavailableError(f"{host!r} does not resolve") from found
    if not found:
        raise ChannelUnavailableError(f"{host!r} has no address")
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_allowed(address: str, *, allow_private: bool) -> bool:
    """Say whether a webhook may connect to ``address``; text that is not an address is not allowed."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    every = (parsed, *_embedded(parsed))
    if any(item.is_multicast or item.is_unspecified for item in every):
        return False
    return allow_private or all(_is_public(item) for item in every)


def _is_public(address: IpAddress) -> bool:
    # is_global counts some reserved ranges as global, and these differ between Python versions.
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_private or address.is_reserved or address.is_link_local)


def _embedded(address: IpAddress) -> list[IpAddress]:
    """Return the IPv4 addresses that packets to this IPv6 address may be sent to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    elif int(address) >> 32 == 0 and int(address) > 1:
        # ::a.b.c.d is deprecated, but some systems still route it.
        found.append(ipaddress.IPv4Address(int(address)))
    return [item for item in found if item is not None]
