"""How a firing meets the cooldown key: who may claim it, and what breaks it."""

from typing import Final, Literal

from barograph_core.alerts import Severity

# A claim without a delivery must not mute the next firing for long; the first delivery extends it.
MAX_CLAIM_MS: Final = 60_000


def cooldown_tag(severity: Severity, cooldown_ms: int) -> str:
    """Return what the cooldown key holds: ``error:300000``."""
    return f"{severity.value}:{cooldown_ms}"


def claim_ms(cooldown_ms: int) -> int:
    """Return how long a claim lasts until a delivery extends it."""
    return min(cooldown_ms, MAX_CLAIM_MS)


def claim_or_break(held_tag: str | None, severity: Severity, cooldown_ms: int) -> Literal["claim", "break"]:
    """Return how a firing takes the key.

    Args:
        held_tag: What the key holds, ``None`` when it is free. Empty after a delivery so late that the
            claim had lapsed: of what, is not known, so it mutes whatever comes.
        severity: Of the firing.
        cooldown_ms: Its rule's setting.

    Returns:
        ``break`` when the firing is worse than what was announced, or the setting has changed since.
    """
    if not held_tag:
        return "claim"
    name, separator, setting = held_tag.partition(":")
    if not separator or name not in tuple(Severity) or setting != str(cooldown_ms):
        return "break"
    return "break" if severity.rank > Severity(name).rank else "claim"
