"""The PagerDuty channel: Events API v2. An episode of an alert is one incident, which its resolution closes."""

import json
import re
from datetime import UTC, datetime
from typing import Final

from barograph_core.clock import Clock
from barograph_core.settings.table_entry import TableEntry
from barograph_core.text.timestamps import LATEST_MS
from barograph_notifier.channel import Outcome, Sent
from barograph_notifier.notification import Notification
from barograph_notifier.posting.answers import outcome_of
from barograph_notifier.posting.endpoint import HttpEndpoint, read_endpoint
from barograph_notifier.wording.words import body_of, contributor_text, facts_of, links_of, summary_of, title_of

_URL: Final = "https://events.pagerduty.com/v2/enqueue"
_KEY: Final = re.compile(r"[A-Za-z0-9]{32}\Z", re.ASCII)
_SUMMARY_LIMIT: Final = 1_024
# Names in the details that PagerDuty shows elsewhere.
_SHOWN: Final = frozenset({"Severity", "Service", "Rule"})


class PagerDutyChannel:
    """Triggers, acknowledges and resolves incidents of one integration.

    It takes no digests: an incident is of one alert, which its own resolution closes.
    """

    def __init__(self, endpoint: HttpEndpoint, *, routing_key: str, clock: Clock) -> None:
        self._endpoint = endpoint
        self._routing_key = routing_key
        self._clock = clock

    def __repr__(self) -> str:
        return f"PagerDutyChannel({self._endpoint!r})"

    def preview(self, notification: Notification, *, key: str) -> str:  # noqa: ARG002
        return json.dumps(event_of(notification), ensure_ascii=False, indent=2)

    def shows(self, flag: str, via: str) -> bool:
        """Show an acknowledgement that was not made in PagerDuty; its events cannot take one back."""
        return flag == "acknowledged" and via != "pagerduty"

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Send ``notification``. A repetition changes nothing: the incident is known by alert and episode.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: PagerDuty did not answer.
        """
        event = {"routing_key": self._routing_key, **event_of(notification)}
        answer = self._endpoint.post_json(event, timeout_s=timeout_s)
        outcome = outcome_of(answer, self._clock.now_ms(), self._endpoint.hide)
        return Sent(notification.episode) if isinstance(outcome, Sent) else outcome


def event_of(notification: Notification) -> dict[str, object]:
    """Return the event without its routing key."""
    if notification.status == "resolved":
        return {"event_action": "resolve", "dedup_key": notification.episode}
    if notification.flag:
        return {"event_action": "acknowledge", "dedup_key": notification.episode}
    facts = {fact.name.lower(): fact.value for fact in facts_of(notification) if fact.name not in _SHOWN}
    return {
        "event_action": "trigger",
        "dedup_key": notification.episode,
        "payload": {
            "summary": f"{title_of(notification)}: {_gist(notification)}"[:_SUMMARY_LIMIT],
            "source": notification.service,
            # PagerDuty's four severities are ours.
            "severity": notification.severity.value,
            "timestamp": _timestamp(notification.changed_at_ms),
            "component": notification.service,
            "class": notification.rule,
            "custom_details": {
                **facts,
                "contributors": [contributor_text(item) for item in notification.contributors],
                "alert_id": notification.alert_id,
            },
        },
        "links": [{"href": fact.value, "text": fact.name} for fact in links_of(notification)],
        "client": "barograph",
        **({"client_url": notification.console_url} if notification.console_url else {}),
    }


def _gist(notification: Notification) -> str:
    return " ".join(body_of(notification)) if notification.body else summary_of(notification)


def _timestamp(ms: int) -> str:
    return datetime.fromtimestamp(min(max(ms, 0), LATEST_MS) / 1_000, UTC).isoformat(timespec="milliseconds")


def read_pagerduty(entry: TableEntry, clock: Clock) -> PagerDutyChannel | None:
    """Return the channel, or ``None`` after recording its mistakes in ``entry``."""
    routing_key = entry.secret_reference("routing_key", is_required=True)
    if routing_key and not _KEY.match(routing_key):
        entry.add_problem(
            "routing_key", "is not the integration key of an Events API v2 integration: 32 letters and digits"
        )
    endpoint = read_endpoint(entry, "url", entry.text("url") or _URL, clock, secrets=[routing_key], keeps_alive=True)
    return PagerDutyChannel(endpoint, routing_key=routing_key, clock=clock) if routing_key and endpoint else None
