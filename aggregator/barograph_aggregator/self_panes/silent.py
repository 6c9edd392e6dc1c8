"""Services whose producers went away without a goodbye, as a figure that a rule watches (``producer-silent``)."""

from collections.abc import Mapping
from typing import Final

from barograph_core.keyspace.keys import ShardKeys, is_own_service
from barograph_core.panes.self_values import SelfValue
from barograph_core.server.connection import Connection
from barograph_core.server.foreign_replies import as_scores
from barograph_core.server.replies import as_hash

NAME: Final = "producer_silent"
# A label `service` would look like the alert's own.
LABEL: Final = "producers_of"
# How often producers are asked for: it takes a command for each service.
_LOOK_EVERY_MS: Final = 10_000
# A producer reports each second. One that has not done so for a minute is gone, or cut off.
_SILENT_MS: Final = 60_000
# Whoever has been gone for longer will not come back.
_FORGOTTEN_MS: Final = 86_400_000
# For so long a service that has producers again is reported as such, so that its alert ends at once.
_BACK_MS: Final = 60_000
# Limit of the services that are reported: each is a series.
_MOST: Final = 100


class SilentServices:
    """Looks every ten seconds which services of a shard have no producer any more that reports.

    A producer that stops as it should says goodbye and is not listed. A service that is only quiet, as at night, has
    producers that report. So what is silent here was killed, or is cut off: the newest report of any producer of the
    service is between a minute and a day old.
    """

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._due_ms = 0
        self._silent: frozenset[str] = frozenset()
        self._back: dict[str, int] = {}

    def values(self, server_ms: int) -> list[SelfValue]:
        """Return 1 for each service that is silent, and 0 for each that was until a short while ago.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        # The server's clock may have been set back.
        if server_ms >= self._due_ms or self._due_ms - server_ms > _LOOK_EVERY_MS:
            self._due_ms = server_ms + _LOOK_EVERY_MS
            silent = self._look(server_ms)
            self._back |= dict.fromkeys(self._silent - silent, server_ms + _BACK_MS)
            self._silent = silent
        self._back = {
            service: until_ms
            for service, until_ms in self._back.items()
            if server_ms < until_ms and service not in self._silent
        }
        found = dict.fromkeys(self._back, 0.0) | dict.fromkeys(sorted(self._silent)[:_MOST], 1.0)
        return [SelfValue(NAME, value, (LABEL, service)) for service, value in sorted(found.items())]

    def _look(self, server_ms: int) -> frozenset[str]:
        services = [name for name in as_hash(self._connection.command("HGETALL", self._keys.closed)) if _counts(name)]
        newest = self._connection.pipeline(
            [("ZRANGE", self._keys.producers(service), -1, -1, "WITHSCORES") for service in services]
        )
        ages: Mapping[str, int] = {
            service: server_ms - max(scores.values())
            for service, reply in zip(services, newest, strict=True)
            if (scores := as_scores(reply))
        }
        return frozenset(service for service, age_ms in ages.items() if _SILENT_MS < age_ms < _FORGOTTEN_MS)


def _counts(service: str) -> bool:
    """Say whether a service is an API's: one that begins so is of a trial by hand (``barograph drill``)."""
    return not is_own_service(service) and not service.startswith("_")
