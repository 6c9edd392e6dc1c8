"""Which alerts are told to further channels, and when, if no one acknowledges them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph_core.alerts.transition import Transition
from barograph_core.matching.matcher import Matcher, match_all
from barograph_core.silences.silence import labels_of


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an escalation.

    Attributes:
        after_ms: Time since the first delivery of the episode.
        channels: Names of the channels that are told then.
    """

    after_ms: int
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Escalation:
    """One ``[[escalation]]``.

    Attributes:
        match: Matchers by name, as in ``[[inhibit]]``; empty for all alerts.
    """

    match: Mapping[str, Matcher]
    steps: tuple[Step, ...]


def steps_of(escalations: Sequence[Escalation], transition: Transition) -> tuple[Step, ...]:
    """Return the steps of the first escalation that means the alert of ``transition``; none if none does."""
    names = labels_of(transition)
    return next((one.steps for one in escalations if match_all(one.match, names)), ())
