"""When an alert flaps, and the memory of its firings that outlives its episodes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from barograph_core.alerts.record import AlertRecord, AlertState, json_text
from barograph_core.errors import MalformedEventError
from barograph_core.text.foreign_json import load_foreign_json

# Limit of the firings that are remembered of one alert.
MOST_FIRINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Flapping:
    """When an alert counts as flapping.

    Attributes:
        firings: So many firings within ``within_ms`` begin it; 2 to ``MOST_FIRINGS``.
        within_ms: Event time that is looked back on.
        calm: So few firings within it end it; fewer than ``firings``.
    """

    firings: int = 5
    within_ms: int = 900_000
    calm: int = 1


DEFAULT_FLAPPING: Final = Flapping()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaps:
    """How often one alert has fired lately: the field ``flaps:<alert_id>`` of ``state:<service>``.

    Attributes:
        rule: Name of its rule.
        fired_ms: For each firing the end of the pane with which it began, oldest first.
        incident_ms: The episode with which it began to flap; ``None`` while it does not flap.
        last: While it flaps and does not fire: the alert as its last episode ended.
    """

    rule: str
    fired_ms: tuple[int, ...] = ()
    incident_ms: int | None = None
    last: AlertRecord | None = None

    @property
    def is_flapping(self) -> bool:
        return self.incident_ms is not None

    def after_firing(self, end_ms: int, policy: Flapping) -> "Flaps":
        """Return it after a firing that began with the pane that ends at ``end_ms``."""
        fired = (*self.recent(end_ms, policy), end_ms)[-MOST_FIRINGS:]
        return replace(self, fired_ms=fired, last=None)

    def recent(self, end_ms: int, policy: Flapping) -> tuple[int, ...]:
        """Return the firings within the time before ``end_ms`` that counts, and later ones of open panes."""
        return tuple(fired_ms for fired_ms in self.fired_ms if end_ms - fired_ms < policy.within_ms)

    def set_back(self, through_ms: int) -> "Flaps":
        """Return it for a clock that was set back: what fired later than ``through_ms`` fired then."""
        return replace(self, fired_ms=tuple(min(fired_ms, through_ms) for fired_ms in self.fired_ms))

    def to_json(self) -> str:
        """Return JSON text, deterministic: equal values give equal text."""
        document: dict[str, object] = {"rule": self.rule, "fired_ms": self.fired_ms}
        if self.incident_ms is not None:
            document["incident_ms"] = self.incident_ms
        if self.last is not None:
            document["last"] = self.last.to_json()
        return json_text(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the text of ``to_json``. Unknown keys are ignored, so that a newer version can add some.

        Raises:
            MalformedEventError: It is something else.
        """
        try:
            document: Mapping[str, object] = load_foreign_json(text)
            incident, last = document.get("incident_ms"), document.get("last")
            return cls(
                rule=str(document["rule"]),
                fired_ms=tuple(map(int, document["fired_ms"])),  # type: ignore[call-overload]  # foreign
                incident_ms=None if incident is None else int(incident),  # type: ignore[call-overload]  # foreign
                last=None if last is None else AlertRecord.from_json(str(last)),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise MalformedEventError(f"not a record of flaps: {exc}") from exc


def incident_of(record: AlertRecord | None, flaps: Flaps | None) -> AlertRecord | None:
    """Return the alert whose incident goes on, as firing: it fires, or it flaps and is clear for now; else ``None``."""
    if record is not None and record.state is AlertState.FIRING:
        return record
    is_by_hand = record is not None and record.is_muted
    if flaps is None or flaps.last is None or not flaps.is_flapping or is_by_hand:
        return None
    return replace(flaps.last, state=AlertState.FIRING)
