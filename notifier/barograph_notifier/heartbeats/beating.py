"""Sends heartbeats: of several notifiers one does, under a lease, when a probe has come through."""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from barograph_core.clock import Clock
from barograph_core.errors import BarographError, NotificationError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.log_limit import LogLimit
from barograph_core.pipeline.probing.beats import Beat, forget_beats, read_beat, write_beat
from barograph_core.server.connection import Connection, read_now
from barograph_core.server.replies import as_text
from barograph_notifier.channel import Outcome, Refused, Retry, Sent
from barograph_notifier.heartbeats.heartbeat import Heartbeat
from barograph_notifier.heartbeats.round_trip import RoundTrip
from barograph_notifier.posting.answers import outcome_of

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
_ATTEMPTS: Final = 3
_BETWEEN_S: Final = 1.0
# After an attempt that sent nothing the next one follows so soon, or after the period where that is shorter.
_AGAIN_MS: Final = 15_000
# A turn is prolonged while it lasts and before each attempt: so long after a death another notifier takes it, and its
# heartbeat is not missed by the watch.
_LEASE_SPARE_MS: Final = 10_000


class Beating:
    """Sends the heartbeats that are due. For one thread.

    Args:
        connection: To the server.
        keys: Of the shard that holds the record: the first of the layout.
        heartbeats: Those of the configuration.
        layout_of: Reads the layout.
        round_trip: Sends the probe.
        clock: Wall time of answers.
    """

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        heartbeats: Sequence[Heartbeat],
        *,
        layout_of: Callable[[], Layout],
        round_trip: RoundTrip,
        clock: Clock,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._heartbeats = tuple(heartbeats)
        self._lease_ms = max((one.timeout_ms for one in heartbeats), default=0) + _LEASE_SPARE_MS
        self._layout_of = layout_of
        self._round_trip = round_trip
        self._clock = clock
        self._token = uuid.uuid4().hex
        self._log_limit = LogLimit()
        self._has_forgotten = False

    def run(self, stop: threading.Event) -> None:
        """Look for what is due until ``stop``."""
        while not stop.wait(LOOK_EVERY_S):
            try:
                self.look(stop)
            except BarographError as error:
                if self._log_limit.allows("server", self._clock.monotonic_ms()):
                    log.warning("heartbeat.cannot_look", extra={"error": str(error)})
        self._connection.close()

    def look(self, stop: threading.Event) -> None:
        """Send what is due, if this notifier's turn comes.

        Raises:
            BarographError: The server is gone or refuses.
        """
        layout = self._layout_of()
        if layout.shards[0] != self._keys:
            return
        if not self._has_forgotten:
            forget_beats(self._connection, self._keys, {one.name for one in self._heartbeats})
            self._has_forgotten = True
        turns = [one for one in self._heartbeats if self._is_due(one) and self._takes_turn(one)]
        try:
            # Another notifier may have sent some between the two looks.
            due = [one for one in turns if self._is_due(one)]
            if due:
                self._beat(due, layout, stop)
        finally:
            for one in turns:
                self._connection.call("baro_release_1", [self._keys.heartbeat_lease(one.name)], [self._token])

    def _is_due(self, heartbeat: Heartbeat) -> bool:
        beat, now_ms = read_beat(self._connection, self._keys, heartbeat.name), read_now(self._connection)
        if beat is None:
            return True
        # A clock that was set back must not silence it.
        is_sent = beat.sent_ms is not None and 0 <= now_ms - beat.sent_ms < heartbeat.every_ms
        again_ms = min(_AGAIN_MS, heartbeat.every_ms)
        is_tried = bool(beat.problem) and beat.tried_ms is not None and 0 <= now_ms - beat.tried_ms < again_ms
        return not is_sent and not is_tried

    def _takes_turn(self, heartbeat: Heartbeat) -> bool:
        key = self._keys.heartbeat_lease(heartbeat.name)
        return self._connection.command("SET", key, self._token, "NX", "PX", self._lease_ms) is not None

    def _keep_turns(self, heartbeats: Sequence[Heartbeat]) -> list[Heartbeat]:
        """Prolong the turns, and return those that are still ours: who was frozen may have lost some."""
        keys = [self._keys.heartbeat_lease(one.name) for one in heartbeats]
        held = self._connection.pipeline([("GET", key) for key in keys])
        kept = [index for index, token in enumerate(held) if token is not None and as_text(token) == self._token]
        if kept:
            self._connection.pipeline([("PEXPIRE", keys[index], self._lease_ms) for index in kept])
        return [heartbeats[index] for index in kept]

    def _beat(self, due: Sequence[Heartbeat], layout: Layout, stop: threading.Event) -> None:
        """Send one probe, and when it has come through each heartbeat that is due."""
        problem = self._round_trip.make(layout, stop, meanwhile=lambda: self._keep_turns(due))
        left = list(due)
        while left and not stop.is_set():
            left = self._keep_turns(left)
            if left:
                self._end_turn(left[0], problem or self._send(left, stop))
                del left[0]

    def _end_turn(self, heartbeat: Heartbeat, problem: str) -> None:
        """Write what became of a heartbeat."""
        beat = read_beat(self._connection, self._keys, heartbeat.name)
        beat = beat or Beat(name=heartbeat.name, every_ms=heartbeat.every_ms)
        at_ms = read_now(self._connection)
        write_beat(
            self._connection, self._keys, beat.after_failure(at_ms, problem) if problem else beat.after_sent(at_ms)
        )
        if problem and self._log_limit.allows(heartbeat.name, self._clock.monotonic_ms()):
            log.warning("heartbeat.not_sent", extra={"heartbeat": heartbeat.name, "reason": problem})

    def _send(self, left: Sequence[Heartbeat], stop: threading.Event) -> str:
        """Post the first of ``left``, up to three times; return why it was not sent, empty when it was."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                if stop.wait(_BETWEEN_S * attempt):
                    break
                self._keep_turns(left)
            match self._post(left[0]):
                case Sent():
                    return ""
                case Refused(reason):
                    return f"the target refuses it: {reason}"
                case Retry(_, reason):
                    pass
        return f"the target does not take it: {reason}"

    def _post(self, heartbeat: Heartbeat) -> Outcome:
        endpoint = heartbeat.endpoint
        try:
            answer = endpoint.post(b"", {}, timeout_s=heartbeat.timeout_ms / 1_000)
        except NotificationError as error:
            return Retry(None, endpoint.hide(str(error)))
        return outcome_of(answer, self._clock.now_ms(), endpoint.hide)
