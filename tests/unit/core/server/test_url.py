"""URLs of one server, of a master behind Sentinels, of a Cluster."""

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.server.connection import Connection
from barograph_core.server.url import parse_server_url
from barograph_core.settings.secrets import hide_password


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
        ("redis+cluster://one?health_check_interval=secret", "cannot be read"),
        ("redis://h?health_check_interval=secret", "cannot be read"),
        ("redis://[::1", "cannot be read"),
        # A client would speak to another host, or to another database.
        ("redis://:57#secret@one:6379/0", "write %23 in a password"),
        ("redis+cluster://:57#secret@one", "write %23 in a password"),
        ("redis://:57?secret@one:6379/0", "write %3F for '?'"),
        ("redis://one/secret", "database after the host must be a number"),
        ("rediss://one/0x1", "database after the host must be a number"),
        # Ours must win, and what nobody knows was a traceback, or a producer that shipped nothing for ever.
        ("redis://one?decode_responses=true", "'decode_responses' is set by barograph itself"),
        ("redis://one?protocol=3", "'protocol' is set by barograph itself"),
        ("unix:///run/redis.sock?socket_timeout=1", "'socket_timeout' is set by barograph itself"),
        ("redis+cluster://one?retry_on_timeout=true", "'retry_on_timeout' is set by barograph itself"),
        ("redis+sentinel://one/m?sentinel_socket_timeout=1", "'sentinel_socket_timeout' is set by barograph itself"),
        ("redis://one?foo=secret", "there is no option 'foo'"),
        ("redis://one?sentinel_username=eve", "there is no option 'sentinel_username'; did you mean 'username'?"),
        ("redis+sentinel://one/m?foo=secret", "there is no option 'foo'"),
        ("rediss://one?ssl_ca_cert=x", "there is no option 'ssl_ca_cert'; did you mean 'ssl_ca_certs'?"),
        ("redis://one?ssl_ca_certs=x", "'ssl_ca_certs' needs TLS: begin with rediss"),
        ("rediss://one?ssl_cert_reqs=secret", "must be one of none, optional, required"),
        ("redis://one?db=", "'db' has no value"),
        ("redis://one?%73%20ecret=1", "an option cannot be read"),
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


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:p@127.0.0.1:1/2?socket_keepalive=true&health_check_interval=30",
        "redis://127.0.0.1:1?db=3&username=u&password=p",
        "rediss://127.0.0.1:1?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_min_version=771&ssl_ciphers=ALL",
        "unix:///nowhere/redis.sock?db=2",
        "redis+cluster://127.0.0.1:1?health_check_interval=30",
        "redis+sentinel://127.0.0.1:1/m?sentinel_username=eve&socket_keepalive=true",
    ],
)
def test_what_is_allowed_the_client_takes(url: str) -> None:
    """Nothing listens there: the first command must end as unavailable, and not with an error of a constructor."""
    connection = Connection.open(url, socket_timeout_s=1)
    with pytest.raises(StreamUnavailableError):
        connection.command("PING")
    connection.close()
