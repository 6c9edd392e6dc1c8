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
# Longer than a turn can take: three attempts and the way of the probe.
_LEASE_MS: Final = 300_000


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
        for heartbeat in self._heartbeats:
            if stop.is_set():
                return
            if self._is_due(heartbeat) and self._takes_turn(heartbeat):
                try:
                    # Another notifier may have sent it between the two looks.
                    if self._is_due(heartbeat):
                        self._beat(heartbeat, layout, stop)
                finally:
                    key = self._keys.heartbeat_lease(heartbeat.name)
                    self._connection.call("baro_release_1", [key], [self._token])

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
        return self._connection.command("SET", key, self._token, "NX", "PX", _LEASE_MS) is not None

    def _beat(self, heartbeat: Heartbeat, layout: Layout, stop: threading.Event) -> None:
        beat = read_beat(self._connection, self._keys, heartbeat.name)
        beat = beat or Beat(name=heartbeat.name, every_ms=heartbeat.every_ms)
        problem = self._round_trip.make(layout, stop)
        if stop.is_set():
            return
        if not problem and not self._holds_turn(heartbeat):
            # Frozen for longer than the lease: another notifier has had its turn.
            return
        problem = problem or self._send(heartbeat, stop)
        at_ms = read_now(self._connection)
        write_beat(
            self._connection, self._keys, beat.after_failure(at_ms, problem) if problem else beat.after_sent(at_ms)
        )
        if problem and self._log_limit.allows(heartbeat.name, self._clock.monotonic_ms()):
            log.warning("heartbeat.not_sent", extra={"heartbeat": heartbeat.name, "reason": problem})

    def _holds_turn(self, heartbeat: Heartbeat) -> bool:
        held = self._connection.command("GET", self._keys.heartbeat_lease(heartbeat.name))
        return held is not None and as_text(held) == self._token

    def _send(self, heartbeat: Heartbeat, stop: threading.Event) -> str:
        """Post the heartbeat, up to three times; return why it was not sent, empty when it was."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt and stop.wait(_BETWEEN_S * attempt):
                break
            match self._post(heartbeat):
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
