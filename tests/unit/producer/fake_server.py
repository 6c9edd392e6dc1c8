"""A server in memory: ``baro_append_1`` as the function library has it, and faults on demand."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from barograph_core.decode.batch import EventBatch, decode_batch
from barograph_core.errors import BarographError, StreamUnavailableError
from barograph_core.server.link import Reply, Value


@dataclass(frozen=True)
class Call:
    """One call of the append function, its arguments by name; on a stream one batch of it."""

    epoch: str
    instance: str
    seq: int
    previous: int
    service: str
    through_ms: int
    mode: str
    liveness: str
    batches: tuple[dict[bytes, bytes], ...] = ()
    events_key: str = ""
    fields: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])


def series_of(batch: EventBatch) -> list[int]:
    """Return for each event of ``batch`` the index of its labels."""
    series: list[int] = batch.series.tolist()
    return series


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class FakeServer:
    """Holds one stream for each key, like the real one.

    Attributes:
        lose_replies: How many replies are lost after the effect.
        failures: Raised by the next calls, in order, before any effect.
        refuse: Says for a call whether it is an error.
        meta: The layout hash.
        epochs: By key; absent is 0.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.streams: dict[str, list[Call]] = {}
        self.sequences: dict[str, int] = {}
        self.producers: dict[str, int] = {}
        self.meta: dict[str, str] = {}
        self.epochs: dict[str, str] = {}
        self.lose_replies = 0
        self.failures: deque[BarographError] = deque()
        self.refuse: Callable[[Call], BarographError | None] = lambda _: None
        self.connections = 0

    def connect(self) -> "FakeServer":
        self.connections += 1
        return self

    def call(self, function: str, keys: Sequence[str], args: Sequence[Value], /) -> Reply:
        assert function == "baro_append_1"
        texts = [_bytes(arg) for arg in args]
        epoch, instance, seq, previous, service, through_ms, mode, liveness = (text.decode() for text in texts[:8])
        width = (len(texts) - 9) // max(1, int(texts[8]))
        batches = tuple(
            dict(zip(texts[first : first + width : 2], texts[first + 1 : first + width : 2], strict=True))
            for first in range(9, len(texts), max(1, width))
        )
        assert len(batches) == int(texts[8])
        numbers = int(seq), int(previous)
        call = Call(
            epoch, instance, *numbers, service, int(through_ms.partition(":")[0]), mode, liveness, batches, keys[0]
        )
        self.calls.append(call)
        if self.failures:
            raise self.failures.popleft()
        if (error := self.refuse(call)) is not None:
            raise error
        reply = self._append(call, keys)
        if self.lose_replies:
            self.lose_replies -= 1
            raise StreamUnavailableError("timeout", "the reply is lost")
        return [part.encode() for part in reply]

    def command(self, *args: Value) -> Reply:
        if args[0] == "HGETALL":
            return [item.encode() for pair in self.meta.items() for item in pair]
        assert args[0] == "GET"
        last = self.sequences.get(str(args[1]))
        return None if last is None else str(last).encode()

    def close(self) -> None:
        pass

    def batches(self, key: str = "baro:{0}:events") -> list[EventBatch]:
        """Return what lies on the stream, decoded."""
        return [decode_batch(call.fields) for call in self.streams.get(key, [])]

    def events(self, key: str = "baro:{0}:events") -> int:
        return sum(batch.n for batch in self.batches(key))

    def _append(self, call: Call, keys: Sequence[str]) -> tuple[str, str]:
        events, sequence, _, epoch, *_ = keys
        if self.epochs.get(epoch, "0") != call.epoch:
            return "stale", self.epochs.get(epoch, "0")
        last = self.sequences.get(sequence, 0)
        status, detail = "ok", "1-0"
        if call.mode != "batch" and call.previous > last:
            return "gap", str(last)
        if call.mode == "batch":
            newest = call.seq + len(call.batches) - 1
            if call.seq <= last < newest:
                return "dup", str(last)
            if call.seq <= last:
                status, detail = "dup", str(last)
            elif call.previous != last:
                return "gap", str(last)
            else:
                self.sequences[sequence] = newest
                self.streams.setdefault(events, []).extend(
                    replace(call, seq=seq, fields=fields) for seq, fields in enumerate(call.batches, start=call.seq)
                )
        if call.mode == "goodbye":
            self.producers.pop(call.instance, None)
        else:
            self.producers[call.instance] = max(call.through_ms, self.producers.get(call.instance, 0))
        return status, detail
