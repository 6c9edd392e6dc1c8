"""``barograph notify preview``: what each channel would send about an alert, its templates filled in."""

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from barograph_alerter.rules.defaults import effective_rules
from barograph_cli.failure import DONE, FAILED, USAGE, CommandError
from barograph_cli.notify.asked_alert import add_alert_arguments, asked_alert
from barograph_cli.notify.samples import chosen_channels
from barograph_cli.options import add_server_arguments
from barograph_core.clock import SystemClock
from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile, load_config
from barograph_core.settings.load import build_settings
from barograph_core.text.one_line import one_line
from barograph_notifier.channel import PreviewedChannel
from barograph_notifier.channels.reading import ChannelSpec, parse_channels
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification
from barograph_notifier.sample import sample_notification
from barograph_notifier.settings import NotifierSettings
from barograph_notifier.wording.digests import digest_text
from barograph_notifier.wording.mail import html_of, html_of_digest
from barograph_notifier.wording.words import text_of

_KEY = "0" * 32


@dataclass(frozen=True, slots=True)
class Preview:
    """What one channel would send.

    Attributes:
        failures: What went wrong with its templates; the plain words stand in their place.
    """

    channel: str
    text: str
    failures: list[str]
    html: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``barograph notify preview``."""
    parser.add_argument("names", nargs="*", metavar="CHANNEL", help="default: every channel")
    parser.add_argument("--status", choices=["firing", "resolved"], default="firing", help="default: firing")
    add_alert_arguments(parser, needs_rule=False)
    parser.add_argument("--html", metavar="FILE", type=Path, help="write the HTML of an e-mail to FILE too")
    add_server_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run ``barograph notify preview``."""
    config = load_config(arguments.config, os.environ)
    settings = build_settings(NotifierSettings, "notifier", {}, os.environ, config)
    problems: list[Problem] = []
    channels = parse_channels(config, os.environ, problems)
    notification = _notification(arguments, config, settings.console_url, problems)
    if problems:
        raise SettingsError(problems)
    chosen = chosen_channels(channels, arguments.names)
    previews = [preview_of(spec, notification) for spec in chosen]
    previews += [preview_of_digest(spec, notification) for spec in chosen if spec.templates.has_digests]
    if arguments.html:
        try:
            arguments.html.write_text(previews[0].html, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--html: {arguments.html} cannot be written: {error.strerror}", USAGE) from error
    if arguments.json:
        plain = [{"channel": one.channel, "message": one.text, "failed_templates": one.failures} for one in previews]
        print(json.dumps(plain, ensure_ascii=False))
    else:
        print("\n\n".join(map(_shown, previews)))
    failures = [f"{one.channel}: {failure}" for one in previews for failure in one.failures]
    for failure in failures:
        print(f"{failure} (the plain words stand in its place)", file=sys.stderr)
    return FAILED if failures else DONE


def preview_of(spec: ChannelSpec, notification: Notification) -> Preview:
    """Return what ``spec`` would send about ``notification``."""
    filled, failures = spec.templates.apply(notification)
    channel = spec.channel
    text = channel.preview(filled, key=_KEY) if isinstance(channel, PreviewedChannel) else text_of(filled)
    return Preview(spec.name, text, failures, html_of(filled))


def preview_of_digest(spec: ChannelSpec, notification: Notification) -> Preview:
    """Return what ``spec`` would send about ``notification`` and another alert together, as plain text."""
    other = replace(notification, alert_id=f"{notification.alert_id}2")
    digest, failures = spec.templates.apply_to_digest(Digest.of([(notification, _KEY), (other, "1" * 32)]))
    return Preview(f"{spec.name}, several alerts", digest_text(digest), failures, html_of_digest(digest))


def _notification(
    arguments: argparse.Namespace, config: ConfigFile, console_url: str, problems: list[Problem]
) -> Notification:
    sample = sample_notification(arguments.status, SystemClock().now_ms(), console_url=console_url)
    if arguments.rule is None:
        return sample
    alert = asked_alert(arguments, effective_rules(config, problems, with_defaults=True))
    return replace(
        sample,
        rule=alert.rule,
        service=alert.service or sample.service,
        severity=alert.severity,
        labels=alert.labels,
        reason="",
        summary="A sample of the summary of this rule.",
    )


def _shown(preview: Preview) -> str:
    # A label may hold what moves the cursor; the lines of a message are ours.
    lines = [one_line(line, 2_000) for line in preview.text.splitlines()]
    return "\n".join([f"── {preview.channel} ──", *lines])
