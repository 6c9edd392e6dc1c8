"""Makes every Redis key of barograph."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from barograph_core.server.slots import CLUSTER_SLOTS, crc16, hash_slot

DEFAULT_PREFIX = "baro"
_PREFIX_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,32}\Z")
# The consumer group of aggregators on the events stream.
AGGREGATOR_GROUP: Final = "aggregator"
# The consumer group of a channel on the alerts stream begins so.
NOTIFIER_GROUP: Final = "notifier:"
# The service under which the pipeline reports on itself; on further shards the name has a suffix.
SELF_SERVICE: Final = "barograph"


def shard_tag(index: int, shards: int) -> str:
    """Return the hash tag of shard ``index`` of ``shards``.

    A single shard has the tag ``0``. Otherwise each shard gets the first numeric tag whose slot lies in the middle of
    an equal share of the slots, so that nodes with equal slot ranges carry equal numbers of shards (tags 0, 1, 2, …
    load nodes 1.5 to 2 times unevenly).

    Raises:
        ValueError: ``index`` is not one of ``shards``.
    """
    if not 0 <= index < shards:
        raise ValueError(f"shard index {index!r} is not in 0..{shards - 1}")
    if shards == 1:
        return "0"
    share = CLUSTER_SLOTS / shards
    low, high = int((index + 0.25) * share), int((index + 0.75) * share)
    candidate = 0
    while not low <= hash_slot(str(candidate)) < high:
        candidate += 1
    return str(candidate)


def shard_of(service: str, shards: int) -> int:
    """Return the shard index of ``service`` when it is not pinned."""
    return crc16(service) % shards


def pane_member(service: str, step_ms: int, start_ms: int) -> str:
    """Return the name of a pane, or of the block that begins with it, on the lists of its shard."""
    return f"{service}:{step_ms}:{start_ms}"


def parse_pane_member(member: str) -> tuple[str, int, int]:
    """Undo ``pane_member``.

    Raises:
        ValueError: ``member`` has another form.
    """
    service, step_ms, start_ms = member.rsplit(":", 2)
    return service, int(step_ms), int(start_ms)


def is_own_service(service: str) -> bool:
    """Say whether the pipeline reports on itself under this name; further shards have a suffix."""
    return service.partition(".")[0] == SELF_SERVICE


def self_series(name: str) -> str:
    """Return the name of the custom series of a value about the pipeline itself: ``barograph.lag_ms``."""
    return f"{SELF_SERVICE}.{name}"


def meta_key(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of the layout: a hash with ``epoch``, ``tags``, ``extra`` and ``pin:<service>`` fields."""
    return f"{prefix}:meta"


def rules_key(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of the rules in force: one JSON text, which alerters write and consoles read."""
    return f"{prefix}:rules"


def rules_holder_key(digest: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key that is there while an alerter with the rules of this hash lives."""
    return f"{prefix}:rules:{digest}"


def tokens_key(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of the hash of tokens that open the console: token id -> JSON, ``used:<id>`` -> day."""
    return f"{prefix}:tokens"


def session_key(digest: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the key of a session of the console: JSON, under the digest of the id that the cookie holds."""
    return f"{prefix}:session:{digest}"


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """The keys of one shard. All carry one hash tag, so that one function call may touch any of them.

    Attributes:
        prefix: ``baro`` unless configured, 1 to 32 of ``A-Z a-z 0-9 . _ -``.
        tag: The hash tag of the shard, from ``shard_tag`` or the layout.
    """

    prefix: str = DEFAULT_PREFIX
    tag: str = "0"

    def __post_init__(self) -> None:
        if not _PREFIX_PATTERN.match(self.prefix):
            raise ValueError(f"prefix {self.prefix!r} is not 1 to 32 of A-Z a-z 0-9 . _ -")

    def _key(self, *parts: object) -> str:
        return ":".join((self.prefix, f"{{{self.tag}}}", *map(str, parts)))

    @property
    def events(self) -> str:
        return self._key("events")

    @property
    def metrics(self) -> str:
        return self._key("metrics")

    @property
    def alerts(self) -> str:
        return self._key("alerts")

    @property
    def deliveries(self) -> str:
        return self._key("deliveries")

    @property
    def dead(self) -> str:
        return self._key("dead")

    @property
    def epoch(self) -> str:
        """Return the key of the shard's copy of the layout's epoch (a Cluster function cannot read ``baro:meta``)."""
        return self._key("epoch")

    @property
    def open(self) -> str:
        """Return the key of the sorted set of panes to close: ``service:step_ms:start_ms`` by end in ms."""
        return self._key("open")

    @property
    def rollups(self) -> str:
        """Return the key of the sorted set of roll-ups to close, in the form of ``open``.

        It is separate from ``open`` because a roll-up waits for all panes of its time: in one list, waiting roll-ups
        would block the very panes that they wait for.
        """
        return self._key("rollups")

    @property
    def progress(self) -> str:
        """Return the key of the hash of what the aggregators of a shard share.

        Each field with its writers (functions of the library) and readers:

        - ``watermark_ms``: no event before it is still to come. Writer: frontier. Readers: frontier, status.
        - ``doubt_ms``, ``doubt_until_ms``: the time that a worker expects while it does not believe the server's clock.
          Frontier only.
        - ``closer``, ``closer_until_ms``: the consumer that closes panes, and the end of its lease. Frontier only.
        - ``no_data_ms``: the closer's setting, after which a silent producer no longer counts as missing.
          Writer: frontier. Reader: status.
        - ``lateness_ms``: the closer's setting, beyond which events are late. Absent where a closer of an earlier
          version does not state it. Writer: frontier. Reader: console.
        - ``advanced_ms``: time of the last ``advanced`` entry on the metrics stream. Commit only.
        - ``deleted:<service>``: newest entry of the events stream that was deleted with the service. Writers: delete,
          and deleted, which removes it. Readers: commit, retirement, ``barograph service``.
        - ``deleted``: newest of those entries, so that a commit need not look for each service. The same writers;
          reader: commit.
        - ``deletions``: number of services ever deleted. Writer: delete. Readers: frontier, close.
        - ``retired:<service>``: end of the newest closed pane of a retired service. Writers: retire; delete and close,
          which remove it, as retirement does once the panes before it have expired. Reader: close.
        - ``series_dropped``: number of series lists ever dropped. Writers: delete, deleted, retire. Reader: frontier.
        - ``places_freed_ms``: last time that series gave up their slots in a full list. Writers: admit and those of
          ``series_dropped``. Reader: ``barograph replay``.
        - ``committed``, ``dead:<group>``, ``lost:<group>``: entries by what became of them. Writers: commit; dead;
          claim, lost and retain. Readers: account, retain.
        - ``lost_counted:<group>``, ``lost_events:<group>``: those of the lost entries whose events are known, and the
          number of these events. Writer: retain. Readers: account, retain.
        - ``dead_counted:<group>``, ``dead_events:<group>``: those of the dead entries that say how many events they
          hold, and the number of these events. Writer: dead. Reader: status.
        - ``finished:<group>``: the id up to which all entries are finished. ``ahead:<group>``: such ranges after it.
          Writers: commit, dead, enqueue. Readers: those, frontier, and the worker that makes a destroyed group again.
        - ``reading:<group>:<entry id>``: number of consumers that read this entry alone and did not survive it.
          Writers and readers: all workers.
        - ``added_before``, ``added_seen``, ``last_seen``, ``put_back``: the counters of the stream at the last look,
          with which a deleted stream or a flush is recognised. Writer: retain. Readers: account, retain.
        - ``ingest_forgotten``: digests of ingested events that were forgotten before their time, because there were too
          many. Writer: ingest.
        - ``told``: totals up to which the pipeline's own panes have reported growth. Writer: tell. Reader: the worker
          that writes these panes.
        """
        return self._key("progress")

    @property
    def closed(self) -> str:
        """Return the key of the hash service -> end of its newest closed pane in ms."""
        return self._key("closed")

    @property
    def closing(self) -> str:
        """Return the key of the closer's report of what does not close, as JSON; it expires soon after its death."""
        return self._key("closing")

    @property
    def rebuild(self) -> str:
        """Return the key of the hash that names the source of a rebuild and whether it is finished.

        ``barograph replay`` and ``barograph import`` write and read it; a prefix that has it is not theirs to claim.

        - ``job``: the arguments of the work as JSON, which ``--resume`` continues.
        - ``verb``: ``replay`` or ``import``.
        - ``begun_ms``: when it began, by the server's clock. Its oldest panes expire their retention after that.
        - ``done``: the report as JSON; present when the work is finished.
        - ``done_ms``: when it was finished, by the server's clock.
        - ``from_ms``: where the log begins.
        """
        return self._key("rebuild")

    @property
    def heard(self) -> str:
        """Return the key of the sorted set of services by the end of their newest pane with an event, in ms."""
        return self._key("heard")

    @property
    def silences(self) -> str:
        return self._key("silences")

    @property
    def workers(self) -> str:
        """Return the key of the sorted set of workers, ``stage:consumer``, by their last report in ms."""
        return self._key("workers")

    @property
    def store(self) -> str:
        """Return the key of the hash of memory of closed panes by step, and of panes dropped to free memory."""
        return self._key("store")

    @property
    def heartbeats(self) -> str:
        """Return the key of the hash of heartbeats to an outside watch, by name: when each was sent last."""
        return self._key("heartbeats")

    def heartbeat_lease(self, name: str) -> str:
        """Return the key that says which notifier's turn a heartbeat is."""
        return self._key("heartbeats", "lease", name)

    @property
    def channels(self) -> str:
        """Return the key of the hash ``channel:result`` -> deliveries recorded with that result."""
        return self._key("channels")

    @property
    def weights(self) -> str:
        """Return the key of the hash ``service:step_ms:block_start_ms`` -> bytes of that block."""
        return self._key("weights")

    def parts(self, service: str, start_ms: int) -> str:
        return self._key("parts", service, start_ms)

    def rollup_parts(self, service: str, step_ms: int, start_ms: int) -> str:
        """Return the key of the list of closed children that a roll-up has not merged yet."""
        return self._key("parts", service, step_ms, start_ms)

    def blocks(self, service: str) -> str:
        """Return the key of the sorted set ``step_ms:block_start_ms`` of a service's blocks, by their expiry in ms."""
        return self._key("blocks", service)

    def panes(self, service: str, step_ms: int, block_start_ms: int) -> str:
        """Return the key of a block: the hash of the closed panes of one span of the next coarser step."""
        return self._key("panes", service, step_ms, block_start_ms)

    def series(self, service: str) -> str:
        """Return the key of the sorted set of series kept apart, by when a worker last asked for them."""
        return self._key("series", service)

    def folded(self, service: str) -> str:
        """Return the key of the series that those over the cap are folded into, in the form of ``series``."""
        return self._key("folded", service)

    def sequence(self, instance: str) -> str:
        return self._key("seq", instance)

    def producers(self, service: str) -> str:
        return self._key("producers", service)

    def shipped(self, service: str) -> str:
        """Return the key of the sorted set instance -> event time before which it has shipped everything."""
        return self._key("shipped", service)

    def producer(self, instance: str) -> str:
        """Return the key of a producer's liveness hash: service, sent, dropped by reason."""
        return self._key("producer", instance)

    def totals(self, service: str) -> str:
        """Return the key of the hash of what a service's producers counted; it outlives them by 90 days.

        - ``dropped:<reason>``, ``shared_names``, ``duplicates``: events that producers dropped, their names that
          another process used too, and batches that were offered twice and refused. Writer: append.
        - ``late``, ``future``: events that came too late or too early to count. Writers: the aggregators, ingest.
        """
        return self._key("totals", service)

    def markers(self, service: str) -> str:
        """Return the key of the hash of what people did to a service, such as deploys: key -> JSON."""
        return self._key("markers", service)

    def state(self, service: str) -> str:
        return self._key("state", service)

    def cooldown(self, alert_id: str) -> str:
        """Return the key by which alerters of the version before mute all channels at once."""
        return self._key("cooldown", alert_id)

    def quiet(self, alert_id: str) -> str:
        """Return the key of the hash of an alert's quiet channels: channel -> until when, and its last word.

        Writers: a channel's delivery, and the transition that decides which channels it mutes (``shared_quiet.lua``).
        """
        return f"{self.prefix}:{{{self.tag}}}:quiet:{alert_id}"

    def escalated(self, alert_id: str) -> str:
        """Return the key that holds the first delivery of an alert's episode, from which its escalation is measured."""
        return self._key("escalated", alert_id)

    def once(self, digest: str) -> str:
        """Return the key that remembers a request of a person, so that it is applied once; it expires in a day."""
        return self._key("once", digest)

    @property
    def ingested(self) -> str:
        """Return the key of the sorted set of digests of ingested events, by when they arrived in ms."""
        return self._key("ingested")

    def tests(self, channel: str) -> str:
        """Return the key of the list of tests of a channel that people ask for, as JSON."""
        return self._key("tests", channel)

    def tested(self, test_id: str) -> str:
        """Return the key of what came back from a test of a channel, as JSON; it expires in minutes."""
        return self._key("tested", test_id)

    def outbox(self, channel: str) -> str:
        """Return the key of the sorted set of groups with something to send, by due time in ms."""
        return self._key("outbox", channel)

    # What follows is made several times for each delivery: as one text, it takes a third of the time of ``_key``.
    def outbox_items(self, channel: str, alert: str) -> str:
        """Return the key of the hash of one alert: entry id -> notification as JSON, and what was delivered."""
        return f"{self.prefix}:{{{self.tag}}}:outbox:{channel}:{alert}:items"

    def outbox_waiting(self, channel: str, group: str) -> str:
        """Return the key of the set of a group's alerts of which something waits to be sent."""
        return f"{self.prefix}:{{{self.tag}}}:outbox:{channel}:{group}:waiting"

    def outbox_told(self, channel: str, group: str) -> str:
        """Return the key of the sorted set of a group's alerts that people were told of, by when that is repeated."""
        return f"{self.prefix}:{{{self.tag}}}:outbox:{channel}:{group}:told"

    def outbox_group(self, channel: str, group: str) -> str:
        """Return the key of the hash of a group's last message and of its digest under way (``shared_outbox.lua``)."""
        return f"{self.prefix}:{{{self.tag}}}:outbox:{channel}:{group}:group"

    def hold(self, channel: str) -> str:
        """Return the key that holds until when, in ms, the channel's target asked to be left alone."""
        return self._key("hold", channel)

    def outbox_held(self, channel: str) -> str:
        """Return the key of the set of groups in which silences or inhibition hold firings back."""
        return self._key("outbox", channel, "held")

    def lease(self, channel: str, group: str) -> str:
        """Return the key that holds the fencing token of the sender of ``group`` on ``channel``."""
        return f"{self.prefix}:{{{self.tag}}}:lease:{channel}:{group}"

    def worker(self, stage: str, consumer: str) -> str:
        """Return the key of a worker's self-metrics hash; it expires soon after the worker's death."""
        return self._key("worker", stage, consumer)


StreamName = Literal["events", "metrics", "alerts", "deliveries", "dead"]


def stream_keys(keys: ShardKeys) -> dict[StreamName, str]:
    """Return the key of each stream."""
    return {
        "events": keys.events,
        "metrics": keys.metrics,
        "alerts": keys.alerts,
        "deliveries": keys.deliveries,
        "dead": keys.dead,
    }
