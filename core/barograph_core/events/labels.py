"""Labels in queries and rules: which names are valid, and which values a series has for them."""

import difflib
from typing import Final

from barograph_core.events.kinds import OTHER_LABEL, Kind, Labels


def label_values(kind: Kind, labels: Labels, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of the labels ``names`` of a series; a label that it lacks is empty."""
    fixed = len(kind.labels)
    # A free label never hides a fixed one of the same name.
    known = dict(zip(labels[fixed::2], labels[fixed + 1 :: 2], strict=True))
    known.update(zip(kind.labels, labels, strict=False))
    return tuple(known.get(name, "") for name in names)


def free_label_names(kind: Kind, labels: Labels) -> tuple[str, ...]:
    """Return the names of the free labels of a series."""
    return labels[len(kind.labels) :: 2]


def without_free_values(kind: Kind, labels: Labels) -> Labels:
    """Return the labels with ``OTHER_LABEL`` for each free value: what a series over a cap is folded into."""
    fixed = len(kind.labels)
    return labels[:fixed] + tuple(name if at % 2 == 0 else OTHER_LABEL for at, name in enumerate(labels[fixed:]))


# Similarity above which a name is a typing error: refuses "rout" and "methods", accepts "model", "region" and "tenant".
_SLIP_CUTOFF: Final = 0.85


def has_label(kind: Kind, name: str) -> bool:
    """Return whether ``name`` can be a label of ``kind``.

    Producers choose the free labels, so a wrong name would only look like "no data". A name that is nearly that of a
    fixed label counts as a typing error.
    """
    if name in kind.labels:
        return True
    return kind.has_free_labels and not difflib.get_close_matches(name, kind.labels, n=1, cutoff=_SLIP_CUTOFF)
