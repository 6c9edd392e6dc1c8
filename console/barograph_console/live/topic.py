"""A topic: the last messages about one service, and where each client stands among them. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Literal

from barograph_console.live.messages import reset_message, snapshot_message

ResetReason = Literal["restart", "lagged", "revised"]
# Messages that a client may have missed and still get one by one.
RING: Final = 120
# A client that is farther behind gets the state as a whole: it is smaller than what it missed.
MOST_BEHIND: Final = 10


@dataclass(slots=True)
class Cursor:
    """Where a client stands: all that is kept for it, however slow it is.

    Attributes:
        seq: Number of the last message it got.
        resumed_to: Up to here it may be any number of messages behind, since it asked to get them one by one.
        wants_snapshot: Whether the next thing to send is the whole state.
        reason: What to say before a snapshot that the client did not ask for.
        snapshot_next: The snapshot that follows the reset that was just sent.
    """

    seq: int
    resumed_to: int = 0
    wants_snapshot: bool = False
    reason: ResetReason | None = None
    snapshot_next: "Snapshot | None" = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a topic after message ``seq``; ``state`` is JSON."""

    seq: int
    state: str


@dataclass(slots=True)
class Topic:
    """The ring of one topic. Messages are numbered by one, and written once for all clients.

    Attributes:
        name: A service, or ``*``.
        seq: Number of the newest message.
        ring: The newest messages, the last of which is ``seq``.
        snapshot: The newest state that is known; clients get it and the messages after it.
    """

    name: str
    seq: int = 0
    ring: deque[str] = field(default_factory=lambda: deque[str](maxlen=RING))
    snapshot: Snapshot | None = None

    def publish(self, kind: str, body: str) -> None:
        """Add a message.

        Args:
            kind: Its ``type``.
            body: Its further members as JSON, without the braces around them.
        """
        self.seq += 1
        self.ring.append(f'{{"type":"{kind}","service":"{self.name}","seq":{self.seq},{body}}}')

    def offer_snapshot(self, state: str) -> None:
        """Take the state as of the newest message."""
        self.snapshot = Snapshot(self.seq, state)

    def subscribe(self, resume_seq: int | None, *, is_same_epoch: bool) -> Cursor:
        """Return the cursor of a new client.

        Args:
            resume_seq: Number of the last message that it got before; ``None`` when it has none.
            is_same_epoch: Whether that number is one of this topic.
        """
        if resume_seq is None:
            return Cursor(self.seq, wants_snapshot=True)
        if is_same_epoch and self._oldest() - 1 <= resume_seq <= self.seq:
            return Cursor(resume_seq, resumed_to=self.seq)
        return Cursor(self.seq, wants_snapshot=True, reason="lagged" if is_same_epoch else "restart")

    def next_message(self, cursor: Cursor) -> str | None:
        """Return what to send a client next, and move its cursor.

        ``None`` when there is nothing, or when it waits for a snapshot.
        """
        self._skip_if_behind(cursor)
        if cursor.snapshot_next is not None:
            snapshot, cursor.snapshot_next = cursor.snapshot_next, None
            return self._give(cursor, snapshot)
        if cursor.wants_snapshot:
            return self._begin_snapshot(cursor)
        if cursor.seq >= self.seq:
            return None
        cursor.seq += 1
        return self.ring[cursor.seq - self._oldest()]

    def needs_snapshot(self, cursor: Cursor) -> bool:
        """Say whether a client waits for a state newer than the one that is known."""
        return cursor.wants_snapshot and not self._is_usable(self.snapshot)

    def _oldest(self) -> int:
        return self.seq - len(self.ring) + 1

    def _skip_if_behind(self, cursor: Cursor) -> None:
        is_resuming = cursor.seq < cursor.resumed_to and cursor.seq >= self._oldest() - 1
        if not cursor.wants_snapshot and self.seq - cursor.seq > MOST_BEHIND and not is_resuming:
            cursor.wants_snapshot, cursor.reason, cursor.snapshot_next = True, "lagged", None

    def _is_usable(self, snapshot: Snapshot | None) -> bool:
        return snapshot is not None and self.seq - snapshot.seq <= min(MOST_BEHIND, len(self.ring))

    def _begin_snapshot(self, cursor: Cursor) -> str | None:
        snapshot = self.snapshot
        if snapshot is None or not self._is_usable(snapshot):
            return None
        cursor.wants_snapshot = False
        if cursor.reason is None:
            return self._give(cursor, snapshot)
        reason, cursor.reason = cursor.reason, None
        cursor.snapshot_next, cursor.seq = snapshot, snapshot.seq
        return reset_message(self.name, snapshot.seq, reason)

    def _give(self, cursor: Cursor, snapshot: Snapshot) -> str:
        cursor.seq = snapshot.seq
        return snapshot_message(self.name, snapshot.seq, snapshot.state)
