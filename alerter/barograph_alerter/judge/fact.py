"""What the state machine of an alert takes and gives: the verdict on one series, and the transition it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from barograph_core.alerts.change import CooldownMode
from barograph_core.alerts.record import AlertRecord, AlertState
from barograph_core.alerts.transition import Flag


@dataclass(frozen=True, slots=True)
class Identity:
    """The alert that is judged: its id, and the service and labels that make it."""

    alert_id: str
    service: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """The verdict of one rule on one series at one moment of event time.

    Attributes:
        at_ms: The moment; holds are measured between moments.
        window_end_ms: End of the newest pane looked at.
        step_ms: Length of that pane.
        is_closed: Whether all its panes are closed. If not, only a breach counts.
        missing: Number of instances whose events may be missing from the newest pane.
        breach: Whether ``when`` holds; ``None`` if data is missing.
        clear: Whether the alert may end: ``resolve_when`` holds, or without one ``when`` does not.
        lack: Why data is missing, where it is.
    """

    at_ms: int
    window_end_ms: int
    step_ms: int
    is_closed: bool
    breach: bool | None
    clear: bool | None
    missing: int = 0
    lack: str = ""
    value: float | None = None
    threshold: float | None = None

    @property
    def is_clear(self) -> bool:
        """Say whether the breach is over for certain."""
        return self.is_closed and self.missing == 0 and self.clear is True and self.breach is not True

    @property
    def lacks_data(self) -> bool:
        """Say whether a closed window lacked data that the condition needs."""
        return self.is_closed and self.breach is not True and self.clear is None


@dataclass(frozen=True, slots=True)
class Move:
    """A transition to write to the alerts stream.

    Attributes:
        before: The state left.
        record: The alert as of the state entered; resolved and inactive ones are not kept.
        cooldown: How the alert's quiet channels decide on the notification.
        notify: Whether channels may send it; decided by the quiet channels unless ``cooldown`` is ``none``.
        reason: Its cause where the condition alone does not say it.
        flag: The flag that changes with it.
    """

    before: AlertState
    record: AlertRecord
    cooldown: CooldownMode
    notify: bool | None = None
    reason: str = ""
    flag: Flag | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Transitioned:
    """An alert after a fact.

    Attributes:
        record: The state to keep; ``None`` when the alert is inactive.
        move: The transition, if there is one.
    """

    record: AlertRecord | None
    move: Move | None = None
