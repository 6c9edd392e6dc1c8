"""A prefix that holds a log of the past, by ``barograph import`` or ``replay``, and its present: the end of that log.

How long panes are kept counts back from there. Counted from today, a log of ten years ago would be expired before it is
seen. On the server its panes live for their retention from when they were written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_hash, as_int, as_list
from barograph_core.steps import Step


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What one shard of such a prefix has.

    Attributes:
        from_ms: Where the log begins.
        written_ms: When its first panes were written, by the server's clock.
        ends_ms: Service -> end of its newest pane with an event, which is its present.
    """

    from_ms: int
    written_ms: int
    ends_ms: Mapping[str, int]

    def steps(self, steps: Sequence[Step], service: str, now_ms: int) -> list[Step]:
        """Return the steps with how far back from the present of ``service`` they are kept at ``now_ms``.

        A step whose panes have begun to expire is kept for no time; the coarsest other one reaches back to the
        beginning of the log, because all that was written of it is there.
        """
        alive = [step for step in steps if now_ms - self.written_ms <= step.keep_ms]
        whole_ms = max(0, self.ends_ms.get(service, 0) - self.from_ms)
        return [
            replace(step, keep_ms=max(step.keep_ms, whole_ms))
            if alive and step is alive[-1]
            else replace(step, keep_ms=step.keep_ms if step in alive else 0)
            for step in steps
        ]


def read_rebuilt(connection: Connection, keys: ShardKeys) -> Rebuilt | None:
    """Return what a shard has if its prefix was rebuilt and nothing has worked on it since; ``None`` otherwise.

    An aggregator that takes the prefix over moves the watermark on: from then on the present is that of the clock.
    """
    marker = ShardKeys(keys.prefix, "0").rebuild
    fields, watermark = connection.pipeline(
        [["HMGET", marker, "begun_ms", "done_ms", "from_ms"], ["HGET", keys.progress, "watermark_ms"]]
    )
    begun, done, from_ = as_list(fields)
    if begun is None or done is None or from_ is None or watermark is None or as_int(watermark) > as_int(done):
        return None
    heard = as_hash(connection.command("ZRANGE", keys.heard, 0, -1, "WITHSCORES"))
    ends_ms = {service: int(float(end)) for service, end in heard.items()}
    return Rebuilt(as_int(from_), as_int(begun), ends_ms)
