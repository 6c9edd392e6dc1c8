"""Makes an attempt at a delivery, and decides what becomes of it."""

import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from barograph_core.backoff import Backoff
from barograph_core.clock import Clock
from barograph_core.errors import BarographError
from barograph_core.workers.counters import WorkerCounters
from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent, attempt, guarded
from barograph_notifier.digest import Digest, DigestChannel
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.hand_over import HandOver
from barograph_notifier.outbox.outbox import Result
from barograph_notifier.outbox.queue_plan import Candidate, DeliveryMemory, Item
from barograph_notifier.outbox.results import DeliveryResult, DigestResult
from barograph_notifier.outbox.turns import DigestState
from barograph_notifier.sending.group_plan import Unsent
from barograph_notifier.sending.pacing.pace import Pace
from barograph_notifier.sending.pacing.retry_delay import retry_delay_ms
from barograph_notifier.wording.templates import NO_TEMPLATES, MessageTemplates

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """Settings of one channel's senders.

    Attributes:
        timeout_ms: Limit of one attempt.
        retry_for_ms: Age at which a failing item is given up.
        poll_ms: Longest time between two looks at the outbox.
        console: URL of the console, for links; empty when it is not known.
        templates: Those of the channel's messages.
    """

    timeout_ms: int
    retry_for_ms: int
    poll_ms: int
    backoff: Backoff
    console: str = ""
    templates: MessageTemplates = NO_TEMPLATES


class Attempts:
    """Makes attempts on one channel. For one thread.

    Args:
        name: The channel's name.
        channel: The channel.
        settings: Limits.
        clock: Measures the time.
        rng: Decides over the jitter.
        pace: Where a target's ``Retry-After`` is noted.
        hold_others: Keeps other notifiers from the target too, until the first argument; the second is the present.
        counters: Of the channel.
        hand_over: The way to the fallback channel, if there is one.
        done_before: Says what was done to a service just before a moment; empty for nothing.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        settings: SenderSettings,
        clock: Clock,
        rng: random.Random,
        pace: Pace,
        hold_others: Callable[[int, int], object],
        counters: WorkerCounters,
        hand_over: HandOver | None = None,
        done_before: Callable[[str, int], str] = lambda _service, _began_ms: "",
    ) -> None:
        self._name = name
        self._channel = channel
        self._digesting = channel if isinstance(channel, DigestChannel) else None
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._pace = pace
        self._hold_others = hold_others
        self._counters = counters
        self._hand_over = hand_over
        self._done_before = done_before

    @property
    def can_digest(self) -> bool:
        return self._digesting is not None

    def unsent(self, one: Unsent) -> DeliveryResult:
        """Return the result of an item that is not sent now."""
        return DeliveryResult(
            item=one.item,
            result="suppressed" if one.held_until_ms is None else "held",
            reason=one.reason,
            memory=one.memory,
            at_ms=self._clock.now_ms(),
            key=one.item.key(self._name),
            until_ms=one.held_until_ms or 0,
        )

    def send(self, candidate: Candidate) -> DeliveryResult:
        """Send one item."""
        key, notification = candidate.item.key(self._name), self._notification_of(candidate)
        timeout_s = self._settings.timeout_ms / 1_000
        outcome = attempt(self._channel, notification, key=key, timeout_s=timeout_s)
        return self._result_of(candidate, outcome, key)

    def _notification_of(self, candidate: Candidate) -> Notification:
        item, memory = candidate.item, candidate.memory
        plain = Notification.of_transition(
            item.transition, first_ref=memory.first_ref_of(item), console=self._settings.console
        )
        if plain.status == "firing" and not plain.flag:
            plain = replace(plain, after=self._done_before(plain.service, plain.started_at_ms))
        notification, failures = self._settings.templates.apply(plain)
        self._note_failures(failures, plain.rule)
        return notification

    def _note_failures(self, failures: Sequence[str], rule: str) -> None:
        """Count and log templates that failed."""
        for failure in failures:
            self._counters.add("template_errors")
            log.warning("template.failed", extra={"channel": self._name, "rule": rule, "error": failure})

    def _result_of(self, candidate: Candidate, outcome: Outcome, key: str) -> DeliveryResult:
        now_ms, memory = self._clock.now_ms(), candidate.memory
        tried = replace(candidate.item, attempt=candidate.item.attempt + 1)
        match outcome:
            case Sent(ref):
                return _result(tried, "sent", ref, memory.after_sent(tried, ref), now_ms, key)
            case Refused(reason):
                reason += self._handed_over([tried], now_ms)
                return _result(tried, "dead", reason, memory.after_unsent(tried), now_ms, key)
            case Retry(after_s, reason, may_have_arrived):
                if may_have_arrived:
                    memory, reason = memory.after_doubt(tried), f"{reason}; may have arrived"
                delay_ms = self._delay_ms(tried.attempt, after_s)
                if now_ms + delay_ms - tried.since_ms > self._settings.retry_for_ms:
                    reason = f"given up: {reason}{self._handed_over([tried], now_ms)}"
                    return _result(tried, "dead", reason, memory.after_unsent(tried), now_ms, key)
                again = replace(tried, due_ms=now_ms + delay_ms)
                if self._is_handed_over_now([tried], now_ms):
                    handed = self._handed_over([tried], now_ms)
                    again, reason = replace(again, is_handed_over=bool(handed)), reason + handed
                return _result(again, "retry", reason, memory, now_ms, key)

    def _delay_ms(self, failures: int, after_s: float | None) -> int:
        delay_ms = retry_delay_ms(self._settings.backoff, failures, self._rng, after_s)
        if after_s is not None:
            # Retry-After holds for the whole target, not only for this alert; our own backoff does not.
            hold_ms, now_ms = round(min(delay_ms, self._settings.backoff.longest_ms)), self._clock.now_ms()
            self._pace.hold(hold_ms)
            # Without it the others learn of the hold from the target itself.
            with contextlib.suppress(BarographError):
                self._hold_others(now_ms + hold_ms, now_ms)
        return delay_ms

    def digest_of(self, candidates: Sequence[Candidate], still_firing: int) -> Digest:
        """Return the digest of several items."""
        named = [(self._notification_of(one), one.item.key(self._name)) for one in candidates]
        plain = Digest.of(named, still_firing=still_firing, console_url=self._settings.console)
        digest, failures = self._settings.templates.apply_to_digest(plain)
        self._note_failures(failures, plain.rule)
        return digest

    def send_digest(self, digest: Digest, candidates: Sequence[Candidate], state: DigestState) -> DigestResult:
        """Send a digest of ``candidates``; ``state`` is that of the attempts before."""
        is_handed_over, is_in_doubt = state.is_handed_over, bool(state.sending)
        channel, timeout_s = self._digesting, self._settings.timeout_ms / 1_000
        assert channel is not None  # noqa: S101  # asked by can_digest
        outcome = guarded(lambda: channel.send_digest(digest, key=digest.key, timeout_s=timeout_s), digest.key)
        now_ms, attempts = self._clock.now_ms(), state.attempt + 1
        # What the fallback channel has need not be handed to it again.
        items = [replace(one.item, is_handed_over=one.item.is_handed_over or is_handed_over) for one in candidates]
        match outcome:
            case Sent(ref):
                return DigestResult("sent", ref, now_ms, attempts, is_handed_over, is_in_doubt)
            case Refused(reason):
                reason += self._handed_over(items, now_ms)
                return DigestResult("dead", reason, now_ms, attempts, is_handed_over, is_in_doubt)
            case Retry(after_s, reason, may_have_arrived):
                is_in_doubt = is_in_doubt or may_have_arrived
                delay_ms = self._delay_ms(attempts, after_s)
                if may_have_arrived:
                    reason += "; may have arrived"
                if now_ms + delay_ms - min(item.since_ms for item in items) > self._settings.retry_for_ms:
                    reason = f"given up: {reason}{self._handed_over(items, now_ms)}"
                    return DigestResult("dead", reason, now_ms, attempts, is_handed_over, is_in_doubt)
                if self._is_handed_over_now(items, now_ms):
                    handed = self._handed_over(items, now_ms)
                    is_handed_over, reason = bool(handed), reason + handed
                return DigestResult("retry", reason, now_ms, attempts, is_handed_over, is_in_doubt, now_ms + delay_ms)

    def _is_handed_over_now(self, items: Sequence[Item], now_ms: int) -> bool:
        return self._hand_over is not None and any(self._hand_over.takes_failing(item, now_ms) for item in items)

    def _handed_over(self, items: Sequence[Item], now_ms: int) -> str:
        """Hand ``items`` to the fallback channel, if there is one; return what to add to the reason."""
        if self._hand_over is None or not self._hand_over.give(items, now_ms):
            return ""
        return f"; handed to {self._hand_over.name}"


def _result(item: Item, result: Result, reason: str, memory: DeliveryMemory, at_ms: int, key: str) -> DeliveryResult:
    return DeliveryResult(item=item, result=result, reason=reason, memory=memory, at_ms=at_ms, key=key)
