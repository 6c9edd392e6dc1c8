"""Which silences end by themselves, and which are forgotten. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

from barograph_core.silences.entry import ended
from barograph_core.silences.silence import Silence
from barograph_core.silences.store import HeldSilence, SilenceWrite

# How long one that ended can still be looked up, and asked for again.
KEPT_MS: Final = 5 * 86_400_000


def due_writes(
    held: Iterable[HeldSilence], now_ms: int, mutes_any: Callable[[Silence], bool]
) -> Iterable[SilenceWrite]:
    """Yield the end of each silence whose time is up, and what takes those off that ended long ago.

    Args:
        held: The silences of a shard.
        now_ms: Wall time.
        mutes_any: Whether a silence means an alert of the shard that is pending or firing.
    """
    for one in held:
        silence = one.silence
        if silence.ended_ms is not None:
            if silence.ended_ms + KEPT_MS <= now_ms:
                yield SilenceWrite(one, None)
        elif silence.ends_ms is not None:
            if silence.ends_ms <= now_ms:
                yield SilenceWrite(one, ended(silence, "expired", now_ms), "ended")
        elif silence.starts_ms <= now_ms and not mutes_any(silence):
            yield SilenceWrite(one, ended(silence, "resolved", now_ms), "ended")
