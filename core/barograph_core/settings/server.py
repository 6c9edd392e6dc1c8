"""The settings that every stage must agree on: the section ``[server]``."""

from dataclasses import dataclass, field
from typing import Final

from barograph_core.keyspace.keys import DEFAULT_PREFIX, ShardKeys
from barograph_core.server.url import parse_server_url
from barograph_core.steps import DEFAULT_KEEP, Step, check_overlaps, parse_keep

DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"


def _check_url(value: object) -> str:
    try:
        parse_server_url(str(value))
    except ValueError as error:
        return f"must be a URL such as {DEFAULT_URL!r}: {error}"
    return ""


def _check_prefix(value: object) -> str:
    try:
        ShardKeys(prefix=str(value))
    except ValueError as error:
        return str(error)
    return ""


def _check_keep(value: object) -> str:
    try:
        check_overlaps(parse_keep(str(value)))
    except ValueError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The section ``[server]``, which must be the same for every stage."""

    # May hold a password, hence no repr; `describe` hides only the password.
    url: str = field(
        default=DEFAULT_URL,
        repr=False,
        metadata={
            "help": "the server that holds the streams",
            "check": _check_url,
            "reference": True,
        },
    )
    prefix: str = field(default=DEFAULT_PREFIX, metadata={"help": "how every key begins", "check": _check_prefix})
    shards: int = field(
        default=1,
        metadata={
            "help": "parts over which services are spread, until a layout is written",
            "minimum": 1,
            "maximum": 256,
        },
    )
    keep: str = field(
        default=DEFAULT_KEEP,
        metadata={"help": "steps and how long their panes are kept, fine to coarse", "check": _check_keep},
    )

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps of ``keep``, fine to coarse. Aggregators write them, alerters and consoles read them."""
        return parse_keep(self.keep)
