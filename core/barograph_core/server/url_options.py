"""The options that a server's URL may have: redis-py takes any, and fails at its first command, or lets them win."""

import re
from difflib import get_close_matches
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

_CONNECTION: Final = frozenset({"db", "username", "password", "socket_keepalive", "health_check_interval"})
_TLS: Final = frozenset(
    {
        *("ssl_ca_certs", "ssl_ca_data", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname"),
        *("ssl_ciphers", "ssl_keyfile", "ssl_min_version", "ssl_password"),
    }
)
# What replies look like, how long one waits and what is repeated decides whether an event counts once.
_OURS: Final = frozenset(
    {
        *("client_name", "decode_responses", "encoding", "encoding_errors", "legacy_responses", "max_connections"),
        *(
            "protocol",
            "retry",
            "retry_on_error",
            "retry_on_timeout",
            "socket_connect_timeout",
            "socket_timeout",
            "timeout",
        ),
    }
)
_CERT_REQS: Final = ("none", "optional", "required")
_SENTINEL: Final = "sentinel_"
_SECURE: Final = "rediss"
_NAME: Final = re.compile(r"[A-Za-z_]{1,40}\Z", re.ASCII)


def check_options(url: str) -> None:
    """Check the options of a URL, and what makes a client take a part of it for another.

    Raises:
        ValueError: An option is unknown, ours to set or without a value; or the URL has a ``#``, or a database that is
            no number. The text repeats the names of options, and nothing else of the URL.
    """
    if "#" in url:
        raise ValueError("has a '#', which ends a URL: write %23 in a password")
    parts = urlsplit(url)
    if "@" in parts.query:
        raise ValueError("has an '@' after a '?': in a password write %3F for '?'")
    scheme = parts.scheme.lower()
    if scheme in ("redis", _SECURE) and not re.fullmatch(r"\d*", unquote(parts.path).strip("/"), re.ASCII):
        raise ValueError("the database after the host must be a number")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        _check(name, value, is_tls=scheme.startswith(_SECURE), has_sentinels=scheme.endswith("sentinel"))


def _check(name: str, value: str, *, is_tls: bool, has_sentinels: bool) -> None:
    if not _NAME.match(name):
        raise ValueError("an option cannot be read")
    known = name.removeprefix(_SENTINEL) if has_sentinels else name
    if known in _OURS:
        raise ValueError(f"the option {name!r} is set by barograph itself: leave it out")
    if known not in _CONNECTION and known not in _TLS:
        close = get_close_matches(known, _CONNECTION | _TLS, n=1)
        raise ValueError(f"there is no option {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")
    if known in _TLS and not is_tls:
        raise ValueError(f"the option {name!r} needs TLS: begin with {_SECURE}")
    if not value:
        raise ValueError(f"the option {name!r} has no value")
    if known == "ssl_cert_reqs" and value not in _CERT_REQS:
        raise ValueError(f"the option {name!r} must be one of {', '.join(_CERT_REQS)}")
