"""Tells what the pipeline itself is doing as panes of a service of its own, so that rules can watch it.

Not as events: those would wait in the very backlog that they tell of, and an alert on a lag would come when the lag is
over. These panes are written and closed second by second by whoever closes panes, whatever the watermark.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from barograph_aggregator.closing_call import OpenPane
from barograph_core.decode import decode_batch
from barograph_core.encode import encode_batch, entry_fields
from barograph_core.errors import CommandRefusedError, MalformedEventError, StreamUnavailableError
from barograph_core.events import KINDS
from barograph_core.events_account import EventsAccount
from barograph_core.keys import ShardKeys
from barograph_core.layout import Layout, read_layout
from barograph_core.pane import Pane
from barograph_core.pipeline import PipelineReader
from barograph_core.pipeline_samples import number
from barograph_core.pipeline_status import WorkerStatus
from barograph_core.self_metrics import MetricName
from barograph_core.stream import Connection

log = logging.getLogger(__name__)

SERVICE: Final = "barograph"
_LAYOUT_EVERY_MS: Final = 60_000
_NAMES_TRIED: Final = 10_000
_CUSTOM: Final = KINDS["custom"]
# Counters of all aggregators of the shard, told as what came on top within the second.
_COUNTED: Final[tuple[MetricName, ...]] = (
    "events_committed",
    "events_late",
    "fence_rejections",
    "entries_claimed",
    "series_refused",
    "blocks_dropped",
    "loop_errors",
)
# Of each aggregator; a rule asks for the worst of them.
_MEASURED: Final = ("commit_ms_p50", "commit_ms_p99", "parts_per_pane_p99")


@dataclass(frozen=True, slots=True)
class Moment:
    """What whoever closes knows of the shard when it looks.

    Attributes:
        server_ms: The server's clock.
        oldest_ms: When the oldest entry came that is unread or pending; ``None`` when there is none.
        account: ``None`` before the first look at the stream.
        events_bytes: Memory of the events stream; 0 where the server does not tell.
        store_bytes: Memory of closed panes, as weighed last.
    """

    server_ms: int
    watermark_ms: int
    oldest_ms: int | None
    account: EventsAccount | None
    events_bytes: int
    store_bytes: int


class SelfPanes:
    """Writes one pane a second of the shard's own service.

    A custom value each: ``barograph.lag_ms``, ``barograph.events_lost`` and so on (the aggregator's README lists them).
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, close: Callable[[OpenPane], None], *, step_ms: int
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._close_pane = close
        self._reader = PipelineReader(connection, keys)
        self._step_ms = step_ms
        self._written_ms = 0
        self._service = ""
        self._named_until_ms = 0
        self._account: EventsAccount | None = None
        self._counts: Mapping[str, Mapping[MetricName, float]] = {}
        self._has_complained = False

    def write(self, moment: Moment) -> None:
        """Write and close the pane of the last whole step, once.

        Raises:
            StreamUnavailableError: The server is gone.
        """
        end_ms = moment.server_ms - moment.server_ms % self._step_ms
        if end_ms <= self._written_ms:
            return
        self._written_ms = end_ms
        if end_ms >= self._named_until_ms:
            self._service = self_service(read_layout(self._connection, self._keys.prefix), self._keys.tag)
            self._named_until_ms = end_ms + _LAYOUT_EVERY_MS
        workers = [worker for worker in self._reader.workers(moment.server_ms) if worker.stage == "aggregator"]
        values = self._gauges(moment, workers) + self._growth(moment.account, workers)
        try:
            self._close(OpenPane(end_ms, self._step_ms, self._service), _pane(values, end_ms - 1, self._step_ms))
        except StreamUnavailableError as error:
            # A full server refuses figures, yet takes the work that empties it: that must not wait.
            if error.reason != "out_of_memory":
                raise
        except (MalformedEventError, CommandRefusedError) as error:
            # Foreign data under our keys must not stop the work that this only tells of.
            if not self._has_complained:
                self._has_complained = True
                log.error("self_panes.cannot_close", extra={"service": self._service, "error": str(error)})

    def _close(self, opened: OpenPane, pane: Pane) -> None:
        member = f"{opened.service}:{opened.step_ms}:{opened.start_ms}"
        self._connection.pipeline(
            [
                ["RPUSH", self._keys.parts(opened.service, opened.start_ms), pane.pack()],
                ["ZADD", self._keys.open, opened.end_ms, member],
            ]
        )
        # Should this worker die here, the pane closes like any other.
        self._close_pane(opened)

    def _gauges(self, moment: Moment, workers: list[WorkerStatus]) -> list[tuple[str, float]]:
        lag_ms = 0 if moment.oldest_ms is None else max(0, moment.server_ms - moment.oldest_ms)
        values: list[tuple[str, float]] = [
            ("lag_ms", lag_ms),
            ("watermark_age_ms", max(0, moment.server_ms - moment.watermark_ms)),
            ("events_bytes", moment.events_bytes),
            ("store_bytes", moment.store_bytes),
            ("aggregators", sum(worker.is_alive for worker in workers)),
        ]
        if moment.account is not None:
            values += [("unread_entries", moment.account.unread), ("pending_entries", moment.account.pending)]
        for worker in workers:
            values += [(name, number(worker, name)) for name in _MEASURED if name in worker.facts]
        return values

    def _growth(self, account: EventsAccount | None, workers: list[WorkerStatus]) -> list[tuple[str, float]]:
        before, self._account = self._account, account
        values: list[tuple[str, float]] = []
        if account is not None and before is not None:
            values += [
                ("entries_lost", account.lost - before.lost),
                ("events_lost", account.lost_events - before.lost_events),
                ("entries_dead", account.dead - before.dead),
            ]
        counts: dict[str, dict[MetricName, float]] = {
            worker.name: {name: number(worker, name) for name in _COUNTED} for worker in workers if worker.facts
        }
        for name in _COUNTED:
            grown = sum(
                max(0.0, figures[name] - self._counts[worker][name])
                for worker, figures in counts.items()
                if worker in self._counts
            )
            values.append((name, grown))
        self._counts = counts
        return [(name, max(0.0, value)) for name, value in values]


def self_service(layout: Layout, tag: str) -> str:
    """Return the name of the service that tells of shard ``tag``: the first of its kind that lives there."""
    names = [SERVICE, *(f"{SERVICE}.{number}" for number in range(1, _NAMES_TRIED))]
    # To a shard that only pinned services live on no other name leads; its own alerters find it all the same.
    return next((name for name in names if layout.tag_of(name) == tag), f"{SERVICE}.shard-{tag}")


def _pane(values: list[tuple[str, float]], at_ms: int, step_ms: int) -> Pane:
    names = sorted({f"{SERVICE}.{name}" for name, _ in values})
    series = [names.index(f"{SERVICE}.{name}") for name, _ in values]
    columns = [[value for _, value in values]]
    batch = encode_batch(_CUSTOM, [(name,) for name in names], series, [at_ms] * len(values), columns)
    # Through the wire's own form, so that these values are taken like those of any producer.
    fields = entry_fields(batch, service=SERVICE, instance="aggregator", seq=1, through_ms=at_ms)
    as_bytes = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
    }
    (pane,) = Pane.of_blocks([decode_batch(as_bytes).block], step_ms).values()
    return pane
