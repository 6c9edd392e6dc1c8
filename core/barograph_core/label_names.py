"""Which label names a question may use: a kind with free labels takes any, except what looks like a slip."""

import difflib
from typing import Final

from barograph_core.events import Kind

# "rout" and "methods" are refused, "model", "region" and "tenant" pass.
_SLIP_CUTOFF: Final = 0.85


def has_label(kind: Kind, name: str) -> bool:
    """Say whether ``name`` can be a label of ``kind``.

    Free labels are whatever producers send, so a wrong name would only look like "no data". A name that is
    nearly that of a fixed label is taken for a typing error.
    """
    if name in kind.labels:
        return True
    return kind.has_free_labels and not difflib.get_close_matches(name, kind.labels, n=1, cutoff=_SLIP_CUTOFF)
