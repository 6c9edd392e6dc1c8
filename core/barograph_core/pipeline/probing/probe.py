"""A probe: an event of the pipeline itself on the events stream, answered by an alerter that has judged its pane.

The answer is an entry of kind ``probe`` on the alerts stream. Who asked deletes it once every channel has read it.
"""

from collections.abc import Iterable
from typing import Final

from barograph_core.errors import MalformedEventError, StreamUnavailableError
from barograph_core.events.encode import encode_batch, entry_fields
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import ShardKeys, self_series
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.link import Value
from barograph_core.server.replies import EntryId, as_entries, as_facts, as_int, as_list, as_text

KIND: Final = "probe"
SERIES: Final = self_series("probe")
_MARK: Final = "mark"
_PAGE: Final = 500


class ProbeSender:
    """Appends probes of one shard as a producer does. For one thread.

    Args:
        connection: To the server.
        keys: Of the shard.
        service: The pipeline's own service on that shard.
        instance: Name of the producer, of no one else.
    """

    def __init__(self, connection: Connection, keys: ShardKeys, service: str, instance: str) -> None:
        self._connection = connection
        self._keys = keys
        self._service = service
        self._instance = instance
        self._seq = 0

    def send(self, epoch: int) -> int:
        """Append a probe, and return its mark: the server's time in ms, which is its value too.

        Raises:
            StreamUnavailableError: The server is gone, or refuses the probe: ``reason`` is its answer.
        """
        mark = read_now(self._connection)
        batch = encode_batch(KINDS["custom"], [(SERIES,)], [0], [mark], [[float(mark)]])
        fields = entry_fields(batch, service=self._service, instance=self._instance, seq=self._seq + 1, through_ms=mark)
        flat: list[Value] = [item for pair in fields.items() for item in pair]
        status, *rest = self._append(epoch, self._seq + 1, self._seq, mark, "batch", 1, flat)
        if status == "gap":
            # The server has forgotten it, or remembers an earlier one of that name.
            self._seq = int(rest[0])
            return self.send(epoch)
        if status not in ("ok", "dup"):
            raise StreamUnavailableError(f"the events stream refuses the probe: {status}", status)
        self._seq += 1
        # Nothing more comes until the next probe: its pane need not wait for this producer.
        self._append(epoch, self._seq, self._seq, mark + 1, "goodbye", 0, [])
        return mark

    def _append(
        self, epoch: int, seq: int, previous: int, through_ms: int, mode: str, batches: int, flat: list[Value]
    ) -> list[str]:
        keys = self._keys
        names = [
            keys.events,
            keys.sequence(self._instance),
            keys.producers(self._service),
            keys.epoch,
            keys.producer(self._instance),
            keys.totals(self._service),
            keys.shipped(self._service),
        ]
        through = f"{through_ms}:{through_ms}"
        args: list[Value] = [epoch, self._instance, seq, previous, self._service, through, mode, "", batches, *flat]
        return [as_text(one) for one in as_list(self._connection.call("baro_append_1", names, args))]


def answer_probe(connection: Connection, keys: ShardKeys, mark: int) -> None:
    """Write that an alerter has judged a pane with the probe of this mark."""
    connection.command("XADD", keys.alerts, "*", "kind", KIND, _MARK, mark)


def find_answer(connection: Connection, keys: ShardKeys, mark: int) -> EntryId | None:
    """Return the entry of the alerts stream that answers a probe, ``None`` while there is none."""
    begin = str(mark)
    while entries := as_entries(connection.command("XRANGE", keys.alerts, begin, "+", "COUNT", _PAGE)):
        for entry in entries:
            try:
                is_answer = entry.fields.get(b"kind") == KIND.encode() and entry.text(_MARK) == str(mark)
            except MalformedEventError:
                is_answer = False
            if is_answer:
                return entry.id
        begin = f"({entries[-1].id}"
    return None


def have_read(connection: Connection, keys: ShardKeys, groups: Iterable[str], entry_id: EntryId) -> bool:
    """Say whether each of these groups has read the alerts stream up to an entry, and finished that one."""
    found = map(as_facts, as_list(connection.command("XINFO", "GROUPS", keys.alerts)))
    read = {as_text(one["name"]): EntryId.parse(as_text(one["last-delivered-id"])) for one in found}
    wanted = list(groups)
    if any(group not in read or read[group] < entry_id for group in wanted):
        return False
    pending = connection.pipeline([("XPENDING", keys.alerts, one, str(entry_id), str(entry_id), 1) for one in wanted])
    return not any(as_list(reply) for reply in pending)


def forget_answer(connection: Connection, keys: ShardKeys, entry_id: EntryId) -> bool:
    """Delete an answer, so that the alerts stream holds what people ask for; say whether it was there."""
    return as_int(connection.command("XDEL", keys.alerts, str(entry_id))) == 1
