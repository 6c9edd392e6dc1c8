"""Transitions, entries and channels for the notifier's tests."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from barograph_core.alerts.record import AlertState, Contributor, Severity, transition_id
from barograph_core.alerts.transition import Transition
from barograph_core.server.replies import EntryId
from barograph_notifier.channel import Outcome, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.outbox.queue_plan import Item

FIRING, RESOLVED, PENDING, INACTIVE = (
    AlertState.FIRING,
    AlertState.RESOLVED,
    AlertState.PENDING,
    AlertState.INACTIVE,
)


def transition(
    after: AlertState = FIRING,
    *,
    before: AlertState | None = None,
    alert: str = "a1",
    episode_ms: int = 1_000,
    number: int = 1,
    severity: Severity = Severity.ERROR,
    notify: bool = True,
    reason: str = "",
    service: str = "ranker",
    rule: str = "high-error-rate",
    cooldown_ms: int = 0,
    summary: str = "/predict: 30 % errors",
) -> Transition:
    return Transition(
        transition=transition_id(alert, episode_ms, after, number),
        alert_id=alert,
        rule=rule,
        severity=severity,
        service=service,
        labels={"route": "/predict"},
        before=before if before is not None else (FIRING if after is RESOLVED else PENDING),
        after=after,
        at_ms=1_700_000_000_123,
        episode_ms=episode_ms,
        value=0.3,
        threshold=0.05,
        summary=summary,
        runbook="https://runbooks.example/errors",
        contributors=(Contributor({"instance": "i1"}, "errors", 12.0, 0.8),),
        notify=notify,
        reason=reason,
        cooldown_ms=cooldown_ms,
    )


def flagged(
    flag: str = "acknowledged", *, alert: str = "a1", number: int = 2, episode_ms: int = 1_000, via: str = ""
) -> Transition:
    """Return the entry of a person who takes a firing alert on, or takes that back."""
    still = transition(FIRING, before=FIRING, alert=alert, number=number, episode_ms=episode_ms, notify=False)
    until_ms = 1_700_000_060_000 if flag == "acknowledged" else None
    return dataclasses.replace(still, flag=flag, actor="kim", note="rolling back", until_ms=until_ms, via=via)


def notification(**changes: str) -> Notification:
    return Notification.of_transition(transition(**changes))  # type: ignore[arg-type]  # the text fields only


def item(id_ms: int, what: Transition | None = None, *, mute: str = "", due_ms: int = 0, attempt: int = 0) -> Item:
    return Item(
        entry_id=EntryId(id_ms, 0),
        transition=what if what is not None else transition(),
        mute=mute,
        attempt=attempt,
        since_ms=0,
        due_ms=due_ms,
    )


@dataclass
class Recorder:
    """A channel that gives the answers listed (the last one for ever) and keeps its notifications."""

    answers: Sequence[Outcome | Exception] = (Sent("ok"),)
    sent: list[tuple[Notification, str]] = field(default_factory=list[tuple[Notification, str]])

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:
        answer = self.answers[min(len(self.sent), len(self.answers) - 1)]
        self.sent.append((notification, key))
        assert timeout_s > 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def statuses(self) -> list[str]:
        return [given.status for given, _ in self.sent]


@dataclass
class FlagRecorder(Recorder):
    """A channel that shows flags, but for what was done in the tool of its own."""

    def shows(self, flag: str, via: str) -> bool:
        return flag in ("acknowledged", "unacknowledged") and via != "pagerduty"

    @property
    def shown(self) -> list[str]:
        """Return the flag of each message, and the status of one without."""
        return [given.flag or given.status for given, _ in self.sent]


@dataclass
class DigestRecorder(Recorder):
    """A channel that takes several alerts in one message too, and keeps those messages."""

    digests: list[tuple[Digest, str]] = field(default_factory=list[tuple[Digest, str]])

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:
        answer = self.answers[min(len(self.sent) + len(self.digests), len(self.answers) - 1)]
        self.digests.append((digest, key))
        assert timeout_s > 0
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def told(self) -> list[list[tuple[str, str]]]:
        """Return of each digest (alert, status) of its alerts."""
        return [[(one.alert_id, one.status) for one in digest.alerts] for digest, _ in self.digests]


def made_of(text: str) -> Notification:
    """Return a notification in which every text from outside is ``text``."""
    return dataclasses.replace(
        notification(),
        rule=text,
        service=text,
        summary=text,
        reason=text,
        actor=text,
        runbook=text,
        labels={text: text},
        contributors=(Contributor({text: text}, text, 1.0, 0.5),),
    )
