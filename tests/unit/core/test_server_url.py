"""URLs of one server, of a master behind Sentinels, of a Cluster."""

import pytest

from barograph_core.secret_refs import hide_password
from barograph_core.server_url import parse_server_url


@pytest.mark.parametrize("url", ["redis://h", "rediss://u:p@h:6380/3", "unix:///run/redis.sock?db=2"])
def test_one_server_is_left_to_the_client(url: str) -> None:
    parsed = parse_server_url(url)
    assert (parsed.topology, parsed.url) == ("server", url)


def test_sentinels_name_a_master() -> None:
    parsed = parse_server_url("redis+sentinel://ann:s%40cret@one:26380,two,[::1]:5/barometer/3?socket_keepalive=true")
    assert parsed.topology == "sentinel"
    assert parsed.hosts == (("one", 26380), ("two", 26379), ("::1", 5))
    assert parsed.master == "barometer"
    assert parsed.options == {"username": "ann", "password": "s@cret", "db": 3, "socket_keepalive": True}
    assert parsed.sentinel_options == {}


def test_sentinels_have_credentials_of_their_own() -> None:
    parsed = parse_server_url("redis+sentinel://:data@one/m?sentinel_username=eve&sentinel_password=watch")
    assert parsed.options == {"password": "data"}
    assert parsed.sentinel_options == {"username": "eve", "password": "watch"}


def test_a_cluster_has_nodes_to_begin_with() -> None:
    parsed = parse_server_url("redis+cluster://:secret@one:7001,two:7002")
    assert parsed.topology == "cluster"
    assert parsed.hosts == (("one", 7001), ("two", 7002))
    assert parsed.options == {"password": "secret"}


def test_tls_holds_for_servers_and_sentinels_alike() -> None:
    parsed = parse_server_url("rediss+sentinel://one/m?ssl_ca_certs=/etc/ca.pem")
    assert parsed.options == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert parsed.sentinel_options == {"ssl": True, "ssl_ca_certs": "/etc/ca.pem"}
    assert parse_server_url("rediss+cluster://one").options == {"ssl": True}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("localhost", "begin with"),
        ("http://host", "begin with"),
        ("redis+sentinel:host", "begin with"),
        ("redis://:secret@host:port", "cannot be read"),
        ("redis+sentinel://one", "master's name"),
        ("redis+sentinel://one/m/0/x", "master's name"),
        ("redis+sentinel://one/m/secret", "must be a number"),
        ("redis+sentinel://one,,two/m", "host cannot be read"),
        ("redis+cluster://one:secret", "host cannot be read"),
        ("redis+cluster://one:0", "host cannot be read"),
        ("redis+cluster://one/1", "only database 0"),
        ("redis+cluster://one?socket_timeout=secret", "cannot be read"),
    ],
)
def test_a_wrong_url_is_told_without_repeating_it(url: str, complaint: str) -> None:
    """It may hold a password."""
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_server_url(url)
    assert "secret" not in str(caught.value)


def test_nothing_secret_is_shown() -> None:
    parsed = parse_server_url("redis+sentinel://:secret@one/m?sentinel_password=secret")
    assert "secret" not in repr(parsed)
    shown = hide_password("redis+sentinel://ann:secret@one:1,two:2/m?sentinel_password=secret")
    assert shown == "redis+sentinel://ann:***@one:1,two:2/m?sentinel_password=***"
