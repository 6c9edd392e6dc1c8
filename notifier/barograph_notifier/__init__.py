"""The notifier of barograph. A channel of your own (``type = "python:module:Class"``) needs these names."""

from barograph_notifier.channel import Channel, Outcome, Refused, Retry, Sent
from barograph_notifier.digest import Digest
from barograph_notifier.notification import Notification

__all__ = ["Channel", "Digest", "Notification", "Outcome", "Refused", "Retry", "Sent"]
