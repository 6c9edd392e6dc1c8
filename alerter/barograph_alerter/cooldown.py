"""How a firing meets the cooldown key: when it may claim it, and when it breaks it."""

from typing import Literal

from barograph_core.alerts import Severity


def claim_or_break(held_tag: str | None, severity: Severity, cooldown_ms: int) -> Literal["claim", "break"]:
    """Return how a firing takes the key.

    Args:
        held_tag: What the key holds (``Transition.cooldown_tag``), ``None`` when it is free.
        severity: Of the firing.
        cooldown_ms: Its rule's setting.

    Returns:
        ``break`` when the firing is worse than what was announced, or the setting has changed since, or
        nobody can tell what was announced: a doubt must not mute.
    """
    if held_tag is None:
        return "claim"
    name, separator, setting = held_tag.partition(":")
    if not separator or name not in tuple(Severity) or setting != str(cooldown_ms):
        return "break"
    return "break" if severity.rank > Severity(name).rank else "claim"
