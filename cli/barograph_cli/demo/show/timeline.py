"""The phases of the demo: healthy, in an incident, recovering. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

Phase = Literal["healthy", "incident", "recovery"]
HEALTHY_MS: Final = 12_000
INCIDENT_MS: Final = 15_000
# Without --duration the incident comes back every two minutes.
CYCLE_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Timeline:
    """One cycle of phases, which repeats.

    Attributes:
        healthy_ms: From the start of a cycle to its incident.
        incident_ms: How long the incident lasts.
        cycle_ms: The whole cycle; what is left after the incident is recovery.
    """

    healthy_ms: int = HEALTHY_MS
    incident_ms: int = INCIDENT_MS
    cycle_ms: int = CYCLE_MS

    @classmethod
    def of_duration(cls, duration_ms: int | None) -> "Timeline":
        """Return the phases of a run of ``duration_ms``; a shorter one than a minute gets shorter phases.

        ``None`` is a run without end.
        """
        if duration_ms is None:
            return cls()
        healthy_ms = min(HEALTHY_MS, duration_ms // 5)
        return cls(healthy_ms, min(INCIDENT_MS, duration_ms // 4), max(CYCLE_MS, healthy_ms))

    def phase_at(self, elapsed_ms: float) -> Phase:
        """Return the phase ``elapsed_ms`` after the load began."""
        at_ms = elapsed_ms % self.cycle_ms
        if at_ms < self.healthy_ms:
            # The first stretch of a later cycle is still the recovery from the incident before it.
            return "healthy" if elapsed_ms < self.cycle_ms else "recovery"
        return "incident" if at_ms < self.healthy_ms + self.incident_ms else "recovery"
