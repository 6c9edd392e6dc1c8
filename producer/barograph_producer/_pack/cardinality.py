"""Finds which label has too many values, once the bound on label sets is reached. Known label sets never come here."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS, OTHER_LABEL, KindName

# Most names that are reported: free labels come from the host, may be many and long, and are sent every second.
MAX_NAMES: Final = 32
# A label with less than 1/10 of the values of the largest label did not use up the bound.
_FEW: Final = 10
# Most refused values remembered, for each label set that was admitted.
_REMEMBERED: Final = 4


class CardinalityReport:
    """Names the label to blame for each label set that is refused.

    Made when the bound is reached, from the label sets admitted until then. Each answer costs a few look-ups, so that
    an attacker's ten thousand paths stay cheap, and the memory for refused values is bounded.
    """

    def __init__(self, admitted: Collection[tuple[KindName, LabelSet]]) -> None:
        values: defaultdict[str, set[str | int]] = defaultdict(set)
        for kind, labels in admitted:
            for name, value in _named(kind, labels):
                values[name].add(value)
        self._values = dict(values)
        # Most values of one label: if it could use all the memory, a second label that grows would not be found.
        self._most = 2 * len(admitted)
        self._room = _REMEMBERED * len(admitted)
        self._largest = max(values, key=lambda name: len(values[name]), default=OTHER_LABEL)
        self._given: set[str] = set()

    def blame(self, kind: KindName, labels: LabelSet) -> str:
        """Return the name of the label that has too many values.

        This is the label with the most values among those whose value is new. If that label has few values (a new
        version of a model, after a scanner's paths used up the bound), it is the label with the most values of all.

        Args:
            kind: The kind of the refused label set.
            labels: The label set as on the wire, without a status.

        Returns:
            The kind and the label: ``request.route``, ``model.version``; for custom events also their name:
            ``custom.queue_length.user``, or ``custom.name`` if there are too many names. ``__other__`` once
            ``MAX_NAMES`` names were returned.
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
        """Remember a refused value within the bound; return how many values its label has."""
        known = self._values.get(name, set())
        if self._room and len(known) < self._most and value not in known:
            self._room -= 1
            known.add(value)
            self._values[name] = known
        return len(known)


def _named(kind: KindName, labels: LabelSet) -> Iterator[tuple[str, str | int]]:
    """Yield each label's reported name with its value."""
    fixed = KINDS[kind].labels
    yield from zip((f"{kind}.{name}" for name in fixed), labels, strict=False)
    prefix = f"{kind}.{labels[0]}" if kind == "custom" else kind
    free = labels[len(fixed) :]
    for name, value in zip(free[::2], free[1::2], strict=True):
        yield f"{prefix}.{name}", value
