"""Barograph's notifier. These names are what a channel of your own needs (``type = "python:module:Class"``)."""

from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent
from barograph_notifier.notification import Notification

__all__ = ["Channel", "Notification", "Outcome", "Refused", "Retry", "Sent"]
