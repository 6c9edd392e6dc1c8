"""Serves a group of several alerts: one message about all that is due, and a record for each alert."""

from collections.abc import Sequence

from barograph_core.alerts.flapping.incident import read_incident
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import transition_of
from barograph_core.clock import Clock
from barograph_core.errors import MalformedEventError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.replies import EntryId
from barograph_notifier.muting.muting import Muting
from barograph_notifier.outbox.grouping import Grouping
from barograph_notifier.outbox.outbox import Outbox
from barograph_notifier.outbox.queue_plan import REASON_REPEAT, Candidate, DeliveryMemory, Item
from barograph_notifier.outbox.results import DeliveryResult, DigestResult, Recorded, Results
from barograph_notifier.outbox.turns import AlertQueue, Turn, Turns
from barograph_notifier.sending.attempts import Attempts
from barograph_notifier.sending.delivery_log import DeliveryLog
from barograph_notifier.sending.flag_plan import plan_flags
from barograph_notifier.sending.group_plan import GroupPlan, plan_group
from barograph_notifier.sending.pacing.pace import Pace


class GroupTurns:
    """Serves groups for one sender. For one thread."""

    def __init__(
        self,
        connection: Connection,
        keys: ShardKeys,
        *,
        outbox: Outbox,
        turns: Turns,
        results: Results,
        attempts: Attempts,
        muting: Muting,
        grouping: Grouping,
        pace: Pace,
        clock: Clock,
        delivery_log: DeliveryLog,
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._outbox = outbox
        self._turns = turns
        self._results = results
        self._attempts = attempts
        self._muting = muting
        self._grouping = grouping
        self._pace = pace
        self._clock = clock
        self._log = delivery_log

    def serve(self, turn: Turn) -> None:
        """Send what is due of the group, as one message where the channel can, and finish the turn."""
        queues = list(self._turns.read_queues(turn.waiting))
        for queue in queues:
            for name in queue.unreadable:
                self._results.discard(turn, queue, name, self._clock.now_ms())
        # Someone deleted what they waited for.
        gone = [queue.alert for queue in queues if not queue.items and not queue.flags]
        if turn.digest.settled:
            result = DigestResult.from_json(turn.digest.settled)
            candidates = [one for queue in queues for one in _of_digest(queue)]
            if self._record_digest(turn, candidates, result, turn.digest.sending):
                self._finish(turn, GroupPlan(), result, gone)
            return
        again_ms = self._show_flags(turn, queues)
        if again_ms is None:
            return
        if turn.due_ms > self._clock.now_ms() and not turn.repeats and any(queue.flags for queue in queues):
            # Not before its time: it was taken for its flags.
            self._turns.finish(turn, turn.due_ms, now_ms=self._clock.now_ms(), gone=gone)
        else:
            self._tell(turn, queues, gone)
        if again_ms:
            self._turns.look_at(turn.group, again_ms)

    def _show_flags(self, turn: Turn, queues: Sequence[AlertQueue]) -> int | None:
        """Send the flags that are due, each by itself; return when to look at others, 0 for never.

        ``None``: the lease is lost. A flag that waits for a transition before it is looked at once that is told, in
        this turn or another.
        """
        now_ms, times = self._clock.now_ms(), list[int]()
        for queue in queues if any(queue.flags for queue in queues) else ():
            plan = plan_flags(queue, now_ms)
            if not self._record(turn, [self._attempts.unsent(one) for one in plan.unsent]):
                return None
            if plan.later_ms is not None:
                times.append(plan.later_ms)
            if plan.is_behind and turn.due_ms <= now_ms:
                times.append(now_ms)
            if plan.candidate is not None:
                again_ms = self._show(turn, plan.candidate)
                if again_ms is None:
                    return None
                times += [again_ms] if again_ms else []
        return min(times, default=0)

    def _show(self, turn: Turn, candidate: Candidate) -> int | None:
        """Send one flag; return when it is tried again, 0 for never. ``None``: the lease is lost."""
        hold_ms = self._pace.take_ms()
        if hold_ms > 0:
            return self._clock.now_ms() + hold_ms
        if not all(self._turns.begin([(turn.group, candidate.item)])):
            self._log.counters.add("fence_rejections")
            return None
        delivery = self._attempts.send(candidate)
        if not self._record(turn, [delivery]):
            return None
        return delivery.item.due_ms if delivery.result == "retry" else 0

    def _tell(self, turn: Turn, queues: Sequence[AlertQueue], gone: list[str]) -> None:
        """Tell what is due of the group, and finish the turn."""
        repeated, ended = self._repeat(turn)
        now_ms = self._clock.now_ms()
        is_under_way = bool(turn.digest.sending)
        plan = plan_group([*queues, *repeated], now_ms, is_digest_under_way=is_under_way, mute_of=self._muting.mute_of)
        if not self._record(turn, [self._attempts.unsent(one) for one in plan.unsent]):
            return
        plan.candidates = [self._muting.released(one) for one in plan.candidates]
        gone += ended
        if not plan.candidates or turn.digest.retry_ms > now_ms:
            due_ms = max(plan.later_ms or now_ms, turn.digest.retry_ms)
            self._turns.finish(turn, due_ms, now_ms=now_ms, clears=not plan.candidates, gone=gone)
        elif self._attempts.can_digest and len(plan.candidates) > 1:
            self._send_digest(turn, plan, gone)
        else:
            self._send_each(turn, plan, gone)

    def _repeat(self, turn: Turn) -> tuple[list[AlertQueue], list[str]]:
        """Queue repetitions of alerts that still fire; return their queues, and the alerts that do not."""
        now_ms, repeated, ended = self._clock.now_ms(), list[AlertQueue](), list[str]()
        asked = [alert for alert in turn.repeats if alert not in set(turn.waiting)]
        for queue in self._turns.read_queues(asked):
            record = self._present(queue.alert, queue.memory)
            if record is None or queue.group not in ("", turn.group):
                ended.append(queue.alert)
                continue
            transition = transition_of(
                record, before=AlertState.FIRING, at_ms=now_ms, notify=True, reason=REASON_REPEAT
            )
            # Later than all that the channel has finished about the alert, before all that is still to come.
            done = queue.memory.finished
            item = Item(
                entry_id=EntryId(done.ms, done.seq + 1),
                transition=transition,
                since_ms=now_ms,
                due_ms=now_ms,
                repeat_ms=now_ms,
            )
            repeated.append(AlertQueue(queue.alert, (item,), queue.memory, group=queue.group))
        self._outbox.put((queue.items[0] for queue in repeated), now_ms, group=turn.group)
        return repeated, ended

    def _present(self, alert: str, memory: DeliveryMemory) -> AlertRecord | None:
        """Return the alert's record, ``None`` unless the episode that was told goes on."""
        try:
            record = read_incident(self._connection, self._keys, memory.service, alert)
        except MalformedEventError:
            return None
        is_told = record is not None and record.told_episode_ms == memory.delivered_episode_ms
        return record if is_told else None

    def _record(self, turn: Turn, deliveries: Sequence[DeliveryResult]) -> bool:
        """Record results. ``False``: the lease is lost."""
        flags = self._results.record(
            [Recorded(group=turn.group, delivery=delivery, is_grouped=True) for delivery in deliveries]
        )
        self._log.note(deliveries, flags)
        self._muting.note_held(deliveries, flags)
        return all(flags)

    def _send_each(self, turn: Turn, plan: GroupPlan, gone: Sequence[str]) -> None:
        """Send the candidates one by one."""
        sent_ms: int | None = None
        for one in plan.candidates:
            hold_ms = self._pace.take_ms()
            if hold_ms > 0:
                plan.wait_until(self._clock.now_ms() + hold_ms)
                break
            if not all(self._turns.begin([(turn.group, one.item)])):
                self._log.counters.add("fence_rejections")
                return
            delivery = self._attempts.send(one)
            if not self._record(turn, [delivery]):
                return
            if delivery.result == "retry":
                plan.wait_until(delivery.item.due_ms)
            elif delivery.result == "sent":
                sent_ms = delivery.at_ms
        self._end(turn, plan, sent_ms=sent_ms, gone=gone)

    def _send_digest(self, turn: Turn, plan: GroupPlan, gone: Sequence[str]) -> None:
        candidates, now_ms = plan.candidates, self._clock.now_ms()
        hold_ms = self._pace.take_ms()
        if hold_ms > 0:
            self._turns.finish(turn, now_ms + hold_ms, now_ms=now_ms, gone=gone)
            return
        told = sum(not one.item.is_resolution and one.memory.delivered_episode_ms is not None for one in candidates)
        digest = self._attempts.digest_of(candidates, max(0, turn.firing - told))
        if not self._turns.begin_digest(turn.group, digest.key, [one.item for one in candidates]):
            self._log.counters.add("fence_rejections")
            return
        result = self._attempts.send_digest(digest, candidates, turn.digest)
        transition = candidates[0].item.transition.transition
        if not self._results.settle(turn.group, result, digest.key, transition):
            self._log.counters.add("fence_rejections")
        elif result.result == "retry":
            self._log.note_digest("retry", turn.group, len(candidates), result.attempt, result.reason)
            self._turns.finish(turn, result.due_ms, now_ms=self._clock.now_ms(), gone=gone)
        elif self._record_digest(turn, candidates, result, digest.key):
            self._finish(turn, plan, result, gone)

    def _record_digest(self, turn: Turn, candidates: Sequence[Candidate], result: DigestResult, key: str) -> bool:
        """Record the result of each alert of a digest. ``False``: the lease is lost; the next sender goes on."""
        flags = self._results.record(
            [Recorded(group=turn.group, delivery=result.of(one, key), is_grouped=True) for one in candidates]
        )
        self._log.note_digest(result.result, turn.group, sum(flags), result.attempt, result.reason)
        self._log.counters.add("fence_rejections", flags.count(False))
        return all(flags)

    def _finish(self, turn: Turn, plan: GroupPlan, result: DigestResult, gone: Sequence[str]) -> None:
        sent_ms = result.at_ms if result.result == "sent" else None
        self._end(turn, plan, sent_ms=sent_ms, gone=gone)

    def _end(self, turn: Turn, plan: GroupPlan, *, sent_ms: int | None, gone: Sequence[str]) -> None:
        now_ms = self._clock.now_ms()
        # What follows a delivered item waits as if it had come now.
        for item in plan.following:
            plan.wait_until(now_ms + self._grouping.pace_of(item.transition)[1])
        due_ms = now_ms if plan.later_ms is None else plan.later_ms
        self._turns.finish(turn, due_ms, now_ms=now_ms, sent_ms=sent_ms, clears=True, gone=gone)


def _of_digest(queue: AlertQueue) -> list[Candidate]:
    """Return the item that is part of the digest under way, none if it is recorded."""
    return [Candidate(item, queue.memory) for item in queue.items if str(item.entry_id) == queue.in_digest]
