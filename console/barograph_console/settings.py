"""Settings of the console: the section ``[console]`` of ``barograph.toml``."""

import ipaddress
import re
from dataclasses import dataclass, field

from barograph_core.access.token import EMPTY_DIGEST

_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")


def _check_digest(value: object) -> str:
    if value and str(value).lower() == EMPTY_DIGEST:
        return "is the SHA-256 of nothing: the token was empty, and everyone would be let in"
    if not value or _SHA256.match(str(value)):
        return ""
    return "must be the SHA-256 of the token, as 64 hex digits (sha256sum prints it)"


def is_loopback(host: str) -> bool:
    """Say whether ``host`` names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """How the console listens, whom it lets in, and how much one answer may hold.

    Raises:
        ValueError: The host is reachable from other machines while nothing asks who is calling.
    """

    host: str = field(default="127.0.0.1", metadata={"help": "address to listen on"})
    port: int = field(
        default=8642, metadata={"help": "port to listen on; 0 takes a free one", "minimum": 0, "maximum": 65_535}
    )
    read_token_sha256: str = field(
        default="",
        repr=False,
        metadata={"help": "SHA-256 of the token that may read", "secret": True, "check": _check_digest},
    )
    admin_token_sha256: str = field(
        default="",
        repr=False,
        metadata={
            "help": "SHA-256 of the token that may read and change",
            "secret": True,
            "check": _check_digest,
        },
    )
    slack_signing_secret: str = field(
        default="",
        repr=False,
        metadata={"help": "signing secret of the Slack app whose buttons acknowledge alerts", "secret": True},
    )
    pagerduty_signing_secret: str = field(
        default="",
        repr=False,
        metadata={"help": "secret of the PagerDuty webhook that acknowledges and resolves alerts", "secret": True},
    )
    require_token: bool = field(
        default=False,
        metadata={"help": "ask everyone for a token, those that the command token makes as well; there must be one"},
    )
    allow_anonymous: bool = field(
        default=False,
        metadata={"help": "listen beyond loopback without any token: everybody who can connect may resolve alerts"},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"help": "further host names the console is called by; without tokens, others are refused"},
    )
    allowed_origins: tuple[str, ...] = field(
        default=(),
        metadata={"help": "origins of pages elsewhere that may open the live connection (https://wall.example)"},
    )
    connections: int = field(
        default=4,
        metadata={"help": "connections to the server; further requests wait", "minimum": 1, "maximum": 64},
    )
    server_timeout_ms: int = field(
        default=2_000,
        metadata={"help": "wait for a reply of the server", "minimum": 100, "maximum": 60_000},
    )
    max_points: int = field(
        default=20_000,
        metadata={"help": "points in one answer, all series together", "minimum": 100, "maximum": 1_000_000},
    )
    max_series: int = field(default=1_000, metadata={"help": "series in one answer", "minimum": 1, "maximum": 10_000})

    apdex_t_ms: int = field(
        default=500,
        metadata={
            "help": "Apdex: a request up to this long satisfies, up to 4 times it is tolerated",
            "minimum": 1,
            "maximum": 3_600_000,
        },
    )

    def __post_init__(self) -> None:
        if not (self.asks_for_token or self.allow_anonymous or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host!r} can be reached from other machines and no token is set: "
                "make one with `barograph token create` and set require_token = true, "
                "or set read_token_sha256 and admin_token_sha256, or listen on 127.0.0.1, or allow_anonymous = true"
            )

    @property
    def has_tokens(self) -> bool:
        return bool(self.read_token_sha256 or self.admin_token_sha256)

    @property
    def asks_for_token(self) -> bool:
        """Say whether every request needs a token. Without this it needs one as soon as one is stored."""
        return self.has_tokens or self.require_token

    @property
    def is_exposed(self) -> bool:
        """Say whether other machines may read and change without a token."""
        return not (self.asks_for_token or is_loopback(self.host))
