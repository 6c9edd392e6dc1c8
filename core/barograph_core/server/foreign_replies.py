"""Converts replies whose content any client may have written: names, figures and times come back fit for use."""

from typing import Final

from barograph_core.server.link import Reply
from barograph_core.server.replies import as_bytes, as_list, as_text
from barograph_core.text.one_line import one_line

# Limit of a name: of a service 64 characters, of an instance 256, of a worker or a group little more.
_MOST_NAME_LENGTH: Final = 300
# Figures of up to this many digits are below 2**63.
_MOST_DIGITS: Final = 18
# Limit of a time, in the year 287396: what floats hold exactly.
_MOST_MS: Final = 2**53


def as_name(reply: Reply) -> str:
    """Return a name, fit for a page, a terminal and a log line."""
    return one_line(as_text(reply), _MOST_NAME_LENGTH)


def as_count(reply: Reply) -> int:
    """Return a figure; 0 for one that is absent, negative, or no whole number."""
    if isinstance(reply, bytes):
        return int(reply) if reply.isdigit() and len(reply) <= _MOST_DIGITS else 0
    return max(0, reply) if isinstance(reply, int) else 0


def as_scores(reply: Reply) -> dict[str, int]:
    """Return a WITHSCORES reply as a dict of names; the scores are whole ms, bounded where one is infinite."""
    flat = as_list(reply)
    return {as_name(member): _whole(score) for member, score in zip(flat[::2], flat[1::2], strict=True)}


def _whole(score: Reply) -> int:
    return int(max(-_MOST_MS, min(_MOST_MS, float(as_bytes(score)))))
