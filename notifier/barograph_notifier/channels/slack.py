"""The Slack channels: an incoming webhook, or a bot that edits its message and replies in the message's thread."""

import json
import re
from typing import Final, cast

from barograph_core.clock import Clock
from barograph_core.errors import ChannelUnavailableError
from barograph_core.settings.table_entry import TableEntry
from barograph_core.text.foreign_json import load_foreign_json
from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.posting.answers import outcome_of, quote
from barograph_notifier.posting.endpoint import HttpEndpoint, read_endpoint
from barograph_notifier.wording.slack import Json, digest_message_of, message_of, reply_of

_API: Final = "https://slack.com/api"
# Errors of the moment; after the first two something may have been posted all the same.
_IN_DOUBT: Final = frozenset({"internal_error", "fatal_error"})
_AGAIN: Final = _IN_DOUBT | {
    "ratelimited",
    "rate_limited",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
}
# The message that is to be edited, or its thread, is gone or may not be edited any more: begin a new one.
_GONE: Final = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "cannot_reply_to_message",
        "channel_not_found",
        "is_inactive",
    }
)
# Who has taken an alert on is no message of its own: it is not shown for one of a digest, or whose message was deleted.
_NOTHING_TO_EDIT: Final = Sent("no message to edit")
_REF: Final = re.compile(r"([A-Z0-9]{2,32})/(\d{1,16}\.\d{1,10})\Z", re.ASCII)


class SlackWebhookChannel:
    """Posts each notification as a message of its own to the conversation of an incoming webhook."""

    def __init__(self, endpoint: HttpEndpoint, *, has_buttons: bool = False, clock: Clock) -> None:
        self._endpoint = endpoint
        self._has_buttons = has_buttons
        self._clock = clock

    def __repr__(self) -> str:
        return f"SlackWebhookChannel({self._endpoint!r})"

    def preview(self, notification: Notification, *, key: str) -> str:  # noqa: ARG002
        return json.dumps(message_of(notification, has_buttons=self._has_buttons), ensure_ascii=False, indent=2)

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Post ``notification``; Slack's webhooks know no idempotency key.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: Slack did not answer.
        """
        answer = self._endpoint.post_json(message_of(notification, has_buttons=self._has_buttons), timeout_s=timeout_s)
        return outcome_of(answer, self._clock.now_ms(), self._endpoint.hide)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Post ``digest``; the rest is as in ``send``."""
        answer = self._endpoint.post_json(digest_message_of(digest), timeout_s=timeout_s)
        return outcome_of(answer, self._clock.now_ms(), self._endpoint.hide)


class SlackBotChannel:
    """Posts the first message of an episode; edits it and replies in its thread from then on.

    Args:
        endpoint: Slack's Web API.
        token: The bot's token; it needs the scope ``chat:write``.
        conversation: A channel's id or ``#name``, in which the bot is a member.
        has_buttons: Whether firings bear buttons, for Slack's app to ask the console.
        clock: Measures the time.
    """

    def __init__(
        self, endpoint: HttpEndpoint, *, token: str, conversation: str, has_buttons: bool = False, clock: Clock
    ) -> None:
        self._endpoint = endpoint
        self._token = token
        self._conversation = conversation
        self._has_buttons = has_buttons
        self._clock = clock

    def __repr__(self) -> str:
        return f"SlackBotChannel({self._endpoint!r}, {self._conversation!r})"

    def preview(self, notification: Notification, *, key: str) -> str:  # noqa: ARG002
        return json.dumps(self._message(notification), ensure_ascii=False, indent=2)

    def _message(self, notification: Notification) -> Json:
        return message_of(notification, has_buttons=self._has_buttons, is_kept_current=True)

    def shows(self, flag: str, via: str) -> bool:  # noqa: ARG002  # also what was done in Slack: its buttons show nothing
        return flag in ("acknowledged", "unacknowledged")

    def send(self, notification: Notification, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Post ``notification``, or bring the message about its episode up to date.

        Raises:
            ChannelRefusedError: The target's address is not allowed.
            ChannelUnavailableError: Slack did not answer.
        """
        call = _Calls(self._endpoint, self._token, self._clock, timeout_s)
        message = self._message(notification)
        first = _REF.match(notification.first_ref)
        if first is None:
            return _NOTHING_TO_EDIT if notification.flag else call.post(self._conversation, message)
        conversation, at = first.groups()
        # The edit comes first: repeated after a failure of the reply, it changes nothing.
        edited = call.update(conversation, at, message)
        if isinstance(edited, Sent):
            # A firing in the thread alone would be missed by those who do not follow it.
            is_shown = notification.status == "firing" and not notification.flag
            edited = call.post(conversation, {**reply_of(notification), "thread_ts": at, "reply_broadcast": is_shown})
        if not (isinstance(edited, Refused) and edited.reason.removeprefix("slack: ") in _GONE):
            return edited
        return _NOTHING_TO_EDIT if notification.flag else call.post(self._conversation, message)

    def send_digest(self, digest: Digest, *, key: str, timeout_s: float) -> Outcome:  # noqa: ARG002
        """Post ``digest`` as a message of its own; the rest is as in ``send``.

        Its reference is not kept: the next message about one of its alerts must not take the place of the others.
        """
        posted = _Calls(self._endpoint, self._token, self._clock, timeout_s).post(
            self._conversation, digest_message_of(digest)
        )
        return Sent("ok") if isinstance(posted, Sent) else posted


class _Calls:
    """Calls of the Web API that share one limit of time."""

    def __init__(self, endpoint: HttpEndpoint, token: str, clock: Clock, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._headers = {"Authorization": f"Bearer {token}"}
        self._clock = clock
        self._end_ms = clock.monotonic_ms() + timeout_s * 1_000

    def post(self, conversation: str, message: Json) -> Outcome:
        return self._call("chat.postMessage", {"channel": conversation, **message})

    def update(self, conversation: str, at: str, message: Json) -> Outcome:
        return self._call("chat.update", {"channel": conversation, "ts": at, **message})

    def _call(self, method: str, document: Json) -> Outcome:
        left_s = (self._end_ms - self._clock.monotonic_ms()) / 1_000
        if left_s <= 0:
            raise ChannelUnavailableError("timeout")
        answer = self._endpoint.post_json(document, timeout_s=left_s, below=f"/{method}", headers=self._headers)
        outcome = outcome_of(answer, self._clock.now_ms(), self._endpoint.hide)
        return self._read(answer.body) if isinstance(outcome, Sent) else outcome

    def _read(self, body: bytes) -> Outcome:
        """Return the outcome of an answer 200, which says in its body whether anything was done."""
        try:
            given = load_foreign_json(body)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return Retry(None, "slack: the answer is not JSON", may_have_arrived=True)
        facts = cast("Json", given)
        if facts.get("ok") is True:
            ref = f"{facts.get('channel')}/{facts.get('ts')}"
            return Sent(ref if _REF.match(ref) else "ok")
        error = quote(str(facts.get("error") or "no reason given"), self._endpoint.hide)
        if error in _AGAIN:
            return Retry(None, f"slack: {error}", may_have_arrived=error in _IN_DOUBT)
        return Refused(f"slack: {error}")


def read_slack(entry: TableEntry, clock: Clock) -> Channel | None:
    """Return the channel, or ``None`` after recording its mistakes in ``entry``."""
    url, token = entry.secret_reference("url"), entry.secret_reference("token")
    conversation, api_url = entry.text("channel"), entry.text("api_url")
    has_buttons = entry.flag("buttons")
    if entry.has_problems:
        entry.flag("allow_private")
        return None
    if bool(url) == bool(token) or bool(token) != bool(conversation):
        entry.flag("allow_private")
        entry.add_problem(
            "url", 'is the address of an incoming webhook; give either it, or a bot\'s "token" and "channel"'
        )
        return None
    if url:
        entry.refuse("api_url", "goes with token and channel: an incoming webhook has an address of its own")
        endpoint = read_endpoint(entry, "url", url, clock)
        return None if endpoint is None else SlackWebhookChannel(endpoint, has_buttons=has_buttons, clock=clock)
    if not token.isascii() or not token.isprintable():
        entry.add_problem("token", "must be printable ASCII on one line")
    api = read_endpoint(entry, "api_url", (api_url or _API).rstrip("/"), clock, secrets=[token])
    if api is None:
        return None
    return SlackBotChannel(api, token=token, conversation=conversation, has_buttons=has_buttons, clock=clock)
