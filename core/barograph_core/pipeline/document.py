"""The state of the pipeline as one document for ``barograph status --json`` and the console's ``/pipeline``."""

from dataclasses import asdict

from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.status import GroupStatus, PipelineStatus, StreamStatus
from barograph_core.server.memory import ServerMemory
from barograph_core.server.replies import EntryId


def shard_document(status: PipelineStatus) -> dict[str, object]:
    """Return one shard's status as plain values, ready for JSON. Entry ids are text and end in ``_id``."""
    return {
        "shard": status.shard,
        "at_ms": status.at_ms,
        "watermark_ms": status.watermark_ms,
        "watermark_age_ms": status.watermark_age_ms,
        "ids_ahead_ms": status.ids_ahead_ms,
        "open_panes": status.open_panes,
        "dead_letters": status.dead_letters,
        "closed_through_ms": dict(status.closed),
        "account": None if status.account is None else _account(status.account),
        "store": None if status.store is None else {**asdict(status.store), "bytes": status.store.bytes},
        "server_memory": None if status.server_memory is None else _server_memory(status.server_memory),
        "stuck": [asdict(one) for one in status.stuck],
        "services": [asdict(service) for service in status.services],
        "channels": [asdict(channel) for channel in status.channels],
        "heartbeats": [{**asdict(one), "age_ms": one.age_ms(status.at_ms)} for one in status.heartbeats],
        "streams": [_stream(stream) for stream in status.streams],
        "workers": [asdict(worker) for worker in status.workers],
        "producers": [asdict(producer) for producer in status.producers],
    }


def _account(account: EventsAccount) -> dict[str, object]:
    return {**asdict(account), "last_id": str(account.last_id), "surplus": account.surplus}


def _server_memory(memory: ServerMemory) -> dict[str, object]:
    return {**asdict(memory), "can_evict": memory.can_evict}


def _stream(stream: StreamStatus) -> dict[str, object]:
    return {
        "name": stream.name,
        "key": stream.key,
        "length": stream.length,
        "added": stream.added,
        "memory_bytes": stream.memory_bytes,
        "first_id": _text(stream.first_id),
        "last_id": _text(stream.last_id),
        "groups": [_group(group) for group in stream.groups],
    }


def _group(group: GroupStatus) -> dict[str, object]:
    return {
        "name": group.name,
        "last_delivered_id": str(group.last_delivered),
        "unread": group.unread,
        "is_capped": group.is_capped,
        "pending": group.pending,
        "oldest_pending_id": _text(group.oldest_pending),
        "lag_ms": group.lag_ms,
        "consumers": [asdict(consumer) for consumer in group.consumers],
    }


def _text(entry_id: EntryId | None) -> str | None:
    return None if entry_id is None else str(entry_id)
