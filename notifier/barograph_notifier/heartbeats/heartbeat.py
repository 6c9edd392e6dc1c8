"""One ``[[heartbeat]]``, and its reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from barograph_core.clock import Clock, SystemClock
from barograph_core.errors import Problem
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.posting.endpoint import HttpEndpoint, read_endpoint
from barograph_notifier.posting.target import CertificateFiles

_SHORTEST_MS: Final = 5_000
_LONGEST_MS: Final = 86_400_000
_TIMEOUT_MS: Final = 10_000
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where a heartbeat goes, and how often.

    Attributes:
        name: By which ``barograph status`` shows it.
        endpoint: Gets an empty POST.
        every_ms: Time between two.
        timeout_ms: Limit of one attempt.
    """

    name: str
    endpoint: HttpEndpoint = field(repr=False)
    every_ms: int
    timeout_ms: int = _TIMEOUT_MS


def parse_heartbeats(
    config: ConfigFile, environ: Mapping[str, str], problems: list[Problem], clock: Clock | None = None
) -> tuple[Heartbeat, ...]:
    """Return the heartbeats without mistakes, and append every mistake to ``problems``."""
    found: list[Heartbeat] = []
    taken: set[str] = set()
    for number, entry in enumerate(TableEntry.all_of(config, "heartbeat", problems, environ=environ), start=1):
        heartbeat = _read(entry, number, taken, clock or SystemClock())
        if number > _MOST:
            entry.add_problem("url", f"is one of more than {_MOST} heartbeats: one for each outside watch is enough")
        if heartbeat is not None:
            found.append(heartbeat)
    return tuple(found)


def _read(entry: TableEntry, number: int, taken: set[str], clock: Clock) -> Heartbeat | None:
    name = entry.name(taken) if entry.is_given("name") else f"heartbeat-{number}"
    taken.add(name)
    every_ms = entry.duration_ms("every", minimum=_SHORTEST_MS, maximum=_LONGEST_MS)
    if every_ms is None and not entry.has_problems:
        entry.add_problem("every", 'says how often, as the outside watch expects it: every = "1m"')
    timeout_ms = entry.duration_ms("timeout", minimum=100, maximum=60_000)
    url = entry.secret("url", is_required=True)
    endpoint = read_endpoint(
        entry,
        "url",
        url,
        clock,
        files=CertificateFiles(
            entry.text("ca_file"), entry.text("cert_file"), entry.text("key_file"), entry.secret("key_password")
        ),
    )
    entry.add_unknown_keys()
    if endpoint is None or every_ms is None or entry.has_problems:
        return None
    return Heartbeat(name, endpoint, every_ms, _TIMEOUT_MS if timeout_ms is None else timeout_ms)
