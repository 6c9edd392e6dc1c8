"""Whatever a channel does, the sender gets an outcome."""

import pytest

from barograph_core.errors import ChannelRefusedError, ChannelUnavailableError
from barograph_notifier.channel import Outcome, Refused, Retry, Sent, attempt
from tests.unit.notifier.samples import Recorder, notification


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Sent("r1"), Sent("r1")),
        (ChannelRefusedError("no such room"), Refused("no such room")),
        (ChannelUnavailableError("busy", 2_500), Retry(2.5, "busy")),
        (ChannelUnavailableError("busy"), Retry(None, "busy")),
        (RuntimeError("token=s3cret"), Retry(None, "raised RuntimeError", may_have_arrived=True)),
        (ChannelUnavailableError("cut", may_have_arrived=True), Retry(None, "cut", may_have_arrived=True)),
    ],
)
def test_what_a_channel_raises_becomes_an_outcome(answer: Outcome | Exception, expected: Outcome) -> None:
    """A foreign exception's text stays out: it may quote a secret."""
    assert attempt(Recorder([answer]), notification(), key="k", timeout_s=1) == expected
