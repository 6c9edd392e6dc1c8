"""Tells what the pipeline itself is doing as panes of a service of its own, so that rules can watch it.

Not as events: those would wait in the very backlog that they tell of, and an alert on a lag would come when the lag is
over. These panes are written and closed second by second by whoever closes panes, whatever the watermark.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_aggregator.growth import Totals
from barograph_aggregator.pane_queue import OpenPane
from barograph_core.decode import decode_batch
from barograph_core.encode import encode_batch, entry_fields
from barograph_core.errors import CommandRefusedError, MalformedEventError, StreamUnavailableError
from barograph_core.events import KINDS
from barograph_core.events_account import EventsAccount
from barograph_core.keys import SELF_SERVICE, ShardKeys
from barograph_core.layout import Layout, read_layout
from barograph_core.pane import Pane
from barograph_core.pane_parts import marked
from barograph_core.pipeline import PipelineReader
from barograph_core.pipeline_samples import number
from barograph_core.pipeline_status import WorkerStatus
from barograph_core.stream import Connection, Value, as_int, as_text

log = logging.getLogger(__name__)

_TOLD: Final = "told"
_LAYOUT_EVERY_MS: Final = 60_000
_NAMES_TRIED: Final = 10_000
_CUSTOM: Final = KINDS["custom"]
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
    Growth is told once, whoever writes: up to which totals lies in ``progress``, and moves with the pane.
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
        self._told = Totals()
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
        opened = OpenPane(end_ms, self._step_ms, self._service)
        try:
            if self._tell(moment, opened):
                # Should this worker die here, the pane closes like any other.
                self._close_pane(opened)
            self._has_complained = False
        except StreamUnavailableError as error:
            # A full server refuses figures, yet takes the work that empties it: that must not wait.
            if error.reason != "out_of_memory":
                raise
        except (MalformedEventError, CommandRefusedError) as error:
            # Foreign data under our keys must not stop the work that this only tells of.
            if not self._has_complained:
                self._has_complained = True
                log.error("self_panes.cannot_close", extra={"service": self._service, "error": str(error)})

    def _tell(self, moment: Moment, opened: OpenPane) -> bool:
        """Write the figures, and say whether they were still to be told: another closer may have done it meanwhile."""
        workers = [worker for worker in self._reader.workers(moment.server_ms) if worker.stage == "aggregator"]
        held = self._connection.command("HGET", self._keys.progress, _TOLD)
        told_before = "" if held is None else as_text(held)
        # After a flush only we may know.
        before = Totals.parse(told_before) or self._told
        totals = Totals.of(moment.account, workers, before)
        values = self._gauges(moment, workers) + totals.growth_since(before)
        pane = _pane(values, opened.end_ms - 1, self._step_ms)
        keys = [self._keys.parts(opened.service, opened.start_ms), self._keys.open, self._keys.progress]
        args: list[Value] = [opened.end_ms, opened.member, marked(pane.pack()), told_before, totals.to_json()]
        if not as_int(self._connection.call("baro_tell_1", keys, args)):
            return False
        self._told = totals
        return True

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


def self_service(layout: Layout, tag: str) -> str:
    """Return the name of the service that tells of shard ``tag``: the first of its kind that lives there."""
    names = [SELF_SERVICE, *(f"{SELF_SERVICE}.{number}" for number in range(1, _NAMES_TRIED))]
    # To a shard that only pinned services live on no other name leads; its own alerters find it all the same.
    return next((name for name in names if layout.tag_of(name) == tag), f"{SELF_SERVICE}.shard-{tag}")


def _pane(values: list[tuple[str, float]], at_ms: int, step_ms: int) -> Pane:
    names = sorted({f"{SELF_SERVICE}.{name}" for name, _ in values})
    series = [names.index(f"{SELF_SERVICE}.{name}") for name, _ in values]
    columns = [[value for _, value in values]]
    batch = encode_batch(_CUSTOM, [(name,) for name in names], series, [at_ms] * len(values), columns)
    # Through the wire's own form, so that these values are taken like those of any producer.
    fields = entry_fields(batch, service=SELF_SERVICE, instance="aggregator", seq=1, through_ms=at_ms)
    as_bytes = {
        name.encode(): value if isinstance(value, bytes) else str(value).encode() for name, value in fields.items()
    }
    (pane,) = Pane.of_blocks([decode_batch(as_bytes).block], step_ms).values()
    return pane
