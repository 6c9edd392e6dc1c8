"""``barograph notify test``: a marked sample through a channel, and what came back."""

import argparse
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.options import add_server_arguments
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import load_config, suggestion
from barograph_core.settings.load import build_settings
from barograph_core.text.ages import format_age
from barograph_core.text.one_line import one_line, safe_json
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.notification import Status
from barograph_notifier.sample import sample_notification
from barograph_notifier.settings import NotifierSettings

_STATUSES: Final[tuple[Status, ...]] = ("firing", "resolved")


@dataclass(frozen=True, slots=True)
class Tried:
    """One message of a test.

    Attributes:
        took_ms: Time until the outcome was known.
    """

    channel: str
    status: Status
    outcome: Outcome
    took_ms: int

    def to_plain(self) -> dict[str, object]:
        result, words = _words(self.outcome)
        return {
            "channel": self.channel,
            "status": self.status,
            "result": result,
            "answer": words,
            "took_ms": self.took_ms,
        }

    def __str__(self) -> str:
        result, words = _words(self.outcome)
        line = f"{self.channel}  {self.status:8}  {result:7}  {format_age(self.took_ms):>8}"
        return f"{line}  {one_line(words)}" if words else line


def send_samples(spec: ChannelSpec, settings: NotifierSettings) -> list[Tried]:
    """Send the sample's beginning, and its end when the beginning was sent and the channel takes ends."""
    clock, tried, ref = SystemClock(), list[Tried](), ""
    now_ms = clock.now_ms()
    for status in _STATUSES if spec.sends_resolved else _STATUSES[:1]:
        key = hashlib.sha256(f"{spec.name} {now_ms} {status}".encode()).hexdigest()[:32]
        given = sample_notification(status, now_ms, first_ref=ref, console_url=settings.console_url)
        begun_ms = clock.monotonic_ms()
        timeout_s = (spec.timeout_ms or settings.timeout_ms) / 1_000
        outcome = attempt(spec.channel, given, key=key, timeout_s=timeout_s)
        tried.append(Tried(spec.name, status, outcome, round(clock.monotonic_ms() - begun_ms)))
        if not isinstance(outcome, Sent):
            break
        ref = outcome.ref
    return tried


def _words(outcome: Outcome) -> tuple[str, str]:
    match outcome:
        case Sent(ref):
            return "sent", ref
        case Refused(reason):
            return "refused", reason
        case Retry(after_s, reason, may_have_arrived):
            parts = [reason, "" if after_s is None else f"it asks to wait for {after_s:g} s"]
            parts.append("may have arrived" if may_have_arrived else "")
            return "failed", "; ".join(filter(None, parts))


def chosen_channels(channels: dict[str, ChannelSpec], names: Sequence[str]) -> list[ChannelSpec]:
    """Return the channels that the command line names, or all.

    Raises:
        CommandError: There is no such channel.
    """
    for name in names:
        if name not in channels:
            raise CommandError(f"{name!r} is not a channel{suggestion(name, list(channels))}", USAGE)
    return [channels[name] for name in names] if names else list(channels.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``barograph notify test``."""
    parser.add_argument("names", nargs="*", metavar="CHANNEL", help="default: every channel")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``barograph notify test``."""
    config = load_config(arguments.config, os.environ)
    settings = build_settings(NotifierSettings, "notifier", {}, os.environ, config)
    problems: list[Problem] = []
    channels = parse_channels(config, os.environ, problems)
    if problems:
        raise SettingsError(problems)
    tried: list[Tried] = []
    for spec in chosen_channels(channels, arguments.names):
        for one in send_samples(spec, settings):
            tried.append(one)
            if not arguments.json:
                print(one, flush=True)
    if arguments.json:
        print(safe_json(json.dumps([one.to_plain() for one in tried], ensure_ascii=False)))
    return DONE if all(isinstance(one.outcome, Sent) for one in tried) else FAILED
