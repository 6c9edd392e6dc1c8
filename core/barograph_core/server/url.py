"""Reads a server's URL: one server, a master that Sentinels name, or a Cluster.

redis-py reads the first kind only. The others have their common form: hosts separated by commas, and behind Sentinel
the master's name after the hosts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from barograph_core.server.url_options import check_options

Topology = Literal["server", "sentinel", "cluster"]

SCHEMES: Final[Mapping[str, Topology]] = {
    "redis": "server",
    "rediss": "server",
    "unix": "server",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_DEFAULT_PORTS: Final[Mapping[Topology, int]] = {"server": 6379, "sentinel": 26_379, "cluster": 6379}
_PLACE_OPTIONS: Final = frozenset({"host", "port", "path", "connection_class"})
_SENTINEL_OPTION: Final = "sentinel_"
# Hosts with their ports.
_Places: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A server's URL in parts.

    Attributes:
        url: For one server, its URL in redis-py's form; otherwise "".
        hosts: The Sentinels, or the nodes of the Cluster to ask first.
        master: The name under which the Sentinels know the master.
        options: For connections to the servers, in redis-py's names; may hold a password.
        sentinel_options: For connections to the Sentinels; may hold a password.
    """

    topology: Topology
    url: str = field(default="", repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    options: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    sentinel_options: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)


def parse_server_url(url: str) -> ServerUrl:
    """Read ``url``.

    ``redis://``, ``rediss://`` (TLS) and ``unix://`` as redis-py reads them;
    ``redis+sentinel://[user:password@]host[:port][,host[:port]…]/master[/db][?options]``;
    ``redis+cluster://[user:password@]host[:port][,host[:port]…][?options]``; both with TLS as ``rediss+…``.
    User and password are the servers'; the Sentinels' own are the options ``sentinel_username`` and
    ``sentinel_password``. Other options are redis-py's, as far as ``check_options`` knows them.

    Raises:
        ValueError: It cannot be read. The text repeats no part of it but names of options: it might be a password.
    """
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    topology = SCHEMES.get(scheme)
    if not separator or topology is None:
        raise ValueError(f"must begin with one of {', '.join(f'{known}://' for known in SCHEMES)}")
    _check_readable(url)
    if topology == "server":
        _check_server(url)
        return ServerUrl("server", url)
    authority, tail = _split_authority(rest)
    credentials, at, hosts = authority.rpartition("@")
    places = tuple(_host_and_port(text, _DEFAULT_PORTS[topology]) for text in hosts.split(","))
    path, _, query = tail.partition("?")
    # The host does not matter: redis-py is to read only the credentials and the types of the options.
    options = _options(f"{scheme.partition('+')[0]}://{credentials}{at}host/?{query}")
    if scheme.startswith("rediss"):
        options["ssl"] = True
    names = [unquote(name) for name in path.split("/") if name]
    return (_of_cluster if topology == "cluster" else _of_sentinels)(places, names, options)


def _of_cluster(places: _Places, names: list[str], options: dict[str, object]) -> ServerUrl:
    if names not in ([], ["0"]):
        raise ValueError("a Cluster has only database 0")
    return ServerUrl("cluster", hosts=places, options=options)


def _of_sentinels(places: _Places, names: list[str], options: dict[str, object]) -> ServerUrl:
    if not 1 <= len(names) <= 2:
        raise ValueError("behind Sentinel the master's name must follow the hosts: redis+sentinel://host:26379/name")
    if len(names) == 2:
        options["db"] = _database(names[1])
    own = {name: options.pop(name) for name in list(options) if name.startswith(_SENTINEL_OPTION)}
    sentinel_options = {name.removeprefix(_SENTINEL_OPTION): value for name, value in own.items()}
    # One certificate authority serves both.
    sentinel_options |= {name: value for name, value in options.items() if name.startswith("ssl")}
    return ServerUrl("sentinel", hosts=places, master=names[0], options=options, sentinel_options=sentinel_options)


def _check_readable(url: str) -> None:
    try:
        urlsplit(url)
    except ValueError:
        raise ValueError("cannot be read; it is like redis://host:6379/0") from None
    check_options(url)


def _check_server(url: str) -> None:
    try:
        _client_options(url)
        # Reading the port checks it.
        has_port = urlsplit(url).port != 0
    except ValueError:
        has_port = False
    if not has_port:
        raise ValueError("cannot be read; it is like redis://host:6379/0")


def _split_authority(rest: str) -> tuple[str, str]:
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return rest[:end], rest[end:]


def _host_and_port(text: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or "@" in text:
        raise ValueError("a host cannot be read; they are like host:6379,host:6379")
    return host, port or default


def _options(url: str) -> dict[str, object]:
    try:
        options = _client_options(url)
    except ValueError:
        raise ValueError("credentials or options cannot be read") from None
    return {name: value for name, value in options.items() if name not in _PLACE_OPTIONS}


def _database(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("the database after the master's name must be a number")
    return int(text)


def _client_options(url: str) -> dict[str, object]:
    # Here, because settings are read by commands that connect to nothing: redis-py takes 0.1 s to load.
    from redis import connection as client_connection

    return cast(
        "dict[str, object]",
        client_connection.parse_url(url),  # type: ignore[no-untyped-call]  # redis-py types none
    )
