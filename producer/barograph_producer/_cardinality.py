"""Finds which label has too many values, once the bound on label sets is reached. Never on the way of a known set."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

from barograph_core.encode import LabelSet
from barograph_core.events import KINDS, OTHER_LABEL, KindName

# Free label names come from the host and may be many and long, and all of this is reported each second.
MAX_NAMES: Final = 32
# A label with less than a tenth of the values of another is not the one that took the room.
_FEW: Final = 10
# Refused values remembered for each label set that was admitted.
_REMEMBERED: Final = 4


class CardinalityReport:
    """Names the label to blame for each label set that finds no room any more.

    Made when the bound is reached, from what was admitted until then. The answer is a few look-ups, so an
    attacker's ten thousand paths cost no more than that each, and what is remembered of them is bounded.
    """

    def __init__(self, admitted: Collection[tuple[KindName, LabelSet]]) -> None:
        values: defaultdict[str, set[str | int]] = defaultdict(set)
        for kind, labels in admitted:
            for name, value in _named(kind, labels):
                values[name].add(value)
        self._values = dict(values)
        # One label must not take all the room, or a second one that explodes is never found out.
        self._most = 2 * len(admitted)
        self._room = _REMEMBERED * len(admitted)
        self._largest = max(values, key=lambda name: len(values[name]), default=OTHER_LABEL)
        self._given: set[str] = set()

    def blame(self, kind: KindName, labels: LabelSet) -> str:
        """Return the name of the label that has too many values.

        That is, of the labels whose value is new here, the one with the most values. But where those are few
        (a new version of a model, once a scanner's paths have taken all the room) it is the one with the most of all.

        Args:
            kind: Of the label set that was refused.
            labels: Its labels as on the wire, without a status.

        Returns:
            The kind and the label: ``request.route``, ``model.version``; for custom events their name too:
            ``custom.queue_length.user``, or ``custom.name`` where the names themselves are too many.
            ``__other__`` for whatever comes after ``MAX_NAMES`` names.
        """
        named = list(_named(kind, labels))
        new = [pair for pair in named if pair[1] not in self._values.get(pair[0], ())]
        name, value = max(new or named, key=lambda pair: len(self._values.get(pair[0], ())))
        size, largest = self._note(name, value), len(self._values.get(self._largest, ()))
        if size > largest:
            self._largest = name
        elif size * _FEW < largest:
            name = self._largest
        if name not in self._given and len(self._given) >= MAX_NAMES:
            return OTHER_LABEL
        self._given.add(name)
        return name

    def _note(self, name: str, value: str | int) -> int:
        """Remember a value that was refused, while there is room; return how many its label has."""
        known = self._values.get(name, set())
        if self._room and len(known) < self._most and value not in known:
            self._room -= 1
            known.add(value)
            self._values[name] = known
        return len(known)


def _named(kind: KindName, labels: LabelSet) -> Iterator[tuple[str, str | int]]:
    """Yield each label's name, as it is reported, with its value."""
    fixed = KINDS[kind].labels
    yield from zip((f"{kind}.{name}" for name in fixed), labels, strict=False)
    prefix = f"{kind}.{labels[0]}" if kind == "custom" else kind
    free = labels[len(fixed) :]
    for name, value in zip(free[::2], free[1::2], strict=True):
        yield f"{prefix}.{name}", value
