"""Turns labels as the host gave them into label sets for the wire, and keeps their number in bounds."""

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from barograph_core.encode import LabelSet
from barograph_core.events import KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, OTHER_LABEL, KindName
from barograph_producer._cardinality import CardinalityReport

RawKey: TypeAlias = tuple[object, ...]

INVALID: Final = -1
_MAX_STATUS: Final = 999
# Raw keys remembered for each admitted label set: a request has one for each status.
_CACHED_KEYS_PER_SET: Final = 8


def clean_label(value: object) -> str | None:
    """Return ``value`` as a label, or ``None`` when it cannot be one.

    Text passes, a whole number is written out (versions are often numbers); nothing is cut, because two
    labels that differ behind the cut would become one without a sign.
    """
    if isinstance(value, str):
        text = str.__str__(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        return None
    try:
        return text if len(text.encode()) <= MAX_LABEL_BYTES else None
    except UnicodeEncodeError:
        return None


def cut_route(value: object) -> str | None:
    """Return ``value`` as a route label, cut to the limit: routes come from outside and may be any length."""
    if not isinstance(value, str):
        return None
    encoded = value.encode(errors="replace")
    return encoded[:MAX_LABEL_BYTES].decode(errors="ignore")


def clean_status(value: object) -> int | None:
    """Return ``value`` as a status, 0 to 999, or ``None``. Whole numbers of any type pass (``HTTPStatus``)."""
    try:
        status = operator.index(value)  # type: ignore[arg-type]  # raises TypeError for what is no number
    except TypeError:
        return None
    return status if 0 <= status <= _MAX_STATUS else None


def custom_key(name: object, labels: object) -> RawKey:
    """Return the raw key of a custom event: its name, the labels' names, then their values."""
    if not isinstance(labels, dict):
        return (name,)
    free = cast("dict[object, object]", labels)
    return (name, *free, *free.values())


def free_key(fixed: Sequence[object], labels: object) -> RawKey:
    """Return the raw key of a sampled request: its fixed labels and status, then as ``custom_key`` has it.

    Free labels that are no mapping make a key that is none.
    """
    if labels is None:
        return tuple(fixed)
    if not isinstance(labels, dict):
        return (*fixed, labels)
    free = cast("dict[object, object]", labels)
    return (*fixed, *free, *free.values())


class LabelSets:
    """Numbers the label sets of one process. Only for the shipper thread.

    One dictionary look-up resolves what was seen before. Beyond ``max_sets`` (status apart) a new label set
    becomes the kind's ``__other__`` set. ``system`` events are exempt: the producer makes them itself.

    Attributes:
        generation: How often everything was forgotten; numbers hold within one generation.
    """

    def __init__(self, max_sets: int) -> None:
        self.generation = 0
        self._max_sets = max_sets
        self._cache_limit = max_sets * _CACHED_KEYS_PER_SET
        self._admitted: set[tuple[KindName, LabelSet]] = set()
        self._numbers: dict[KindName, dict[RawKey, int]] = {}
        self._sets: list[LabelSet] = []
        # The numbers of ``__other__`` sets, each with the name of the label that had too many values.
        self._others: dict[int, str] = {}
        self._number_of: dict[tuple[KindName, LabelSet, str], int] = {}
        self._report: CardinalityReport | None = None
        self.forget()

    @property
    def cached_keys(self) -> int:
        """How many raw keys are remembered."""
        return sum(map(len, self._numbers.values()))

    def forget(self) -> None:
        """Drop what was numbered, not what was admitted."""
        self.generation += 1
        self._numbers = {kind.name: {} for kind in KINDS.values()}
        self._sets, self._others, self._number_of = [], {}, {}

    def numbers(self, kind: KindName, keys: Iterable[RawKey]) -> list[int]:
        """Return for each raw key the number of its label set, ``INVALID`` where it has none.

        Numbers hold until the next call.

        Args:
            kind: Of the events.
            keys: Must allow a second iteration, for keys not seen before.
        """
        if len(self._sets) > self._cache_limit or self.cached_keys > self._cache_limit:
            self.forget()
        known = self._numbers[kind]
        try:
            # Straight from the columns: zip then reuses one tuple for all rows.
            found = list(map(known.get, keys))
        except Exception:  # noqa: BLE001  # an unhashable label, or one whose own __hash__ fails
            return [self._number(kind, key) for key in keys]
        if None not in found:
            return [number for number in found if number is not None]
        return [self._number(kind, key) if number is None else number for key, number in zip(keys, found, strict=True)]

    def label_set(self, number: int) -> LabelSet:
        return self._sets[number]

    def folded(self, numbers: Sequence[int]) -> Mapping[str, int]:
        """Return how many of ``numbers`` are an ``__other__`` set, by the label that had too many values."""
        if not self._others:
            return {}
        return Counter(map(self._others.__getitem__, filter(self._others.__contains__, numbers)))

    def _number(self, kind: KindName, key: RawKey) -> int:
        known = self._numbers[kind]
        try:
            number = known.get(key)
            if number is None:
                number = known[key] = self._intern(kind, key)
        except Exception:  # noqa: BLE001  # as above
            return INVALID
        return number

    def _intern(self, kind: KindName, key: RawKey) -> int:
        cleaned = _clean(kind, key)
        if cleaned is None:
            return INVALID
        fixed = len(KINDS[kind].labels)
        free_from = fixed + KINDS[kind].has_status
        status = cleaned[fixed:free_from]
        labels = cleaned[:fixed] + cleaned[free_from:]
        blamed = "" if self._admit(kind, labels) else self._blame(kind, labels)
        label_set = (OTHER_LABEL,) * fixed + status if blamed else cleaned
        number = self._number_of.get((kind, label_set, blamed))
        if number is None:
            number = self._number_of[kind, label_set, blamed] = len(self._sets)
            self._sets.append(label_set)
            if blamed:
                self._others[number] = blamed
        return number

    def _blame(self, kind: KindName, labels: LabelSet) -> str:
        if self._report is None:
            self._report = CardinalityReport(self._admitted)
        return self._report.blame(kind, labels)

    def _admit(self, kind: KindName, labels: LabelSet) -> bool:
        if kind == "system" or (kind, labels) in self._admitted:
            return True
        if len(self._admitted) >= self._max_sets:
            return False
        self._admitted.add((kind, labels))
        return True


def _clean(kind: KindName, key: RawKey) -> LabelSet | None:
    if kind == "custom":
        return _with_free(_all_of([clean_label(key[0])]), key[1:])
    if kind != "request":
        return _all_of([clean_label(value) for value in key])
    if len(key) < 3:  # what a host that passes anything may make of it
        return None
    route, method, status, *free = key
    labels = _all_of([cut_route(route), clean_label(method)])
    code = clean_status(status)
    return None if labels is None or code is None else _with_free((*labels, code), free)


def _with_free(fixed: LabelSet | None, free: Sequence[object]) -> LabelSet | None:
    """Return ``fixed`` and then the pairs of ``free``, which holds all names before all values, sorted by name."""
    count = len(free) // 2
    if fixed is None or len(free) % 2 or count > MAX_FREE_LABELS:
        return None
    names, values = _all_of([_clean_name(name) for name in free[:count]]), _all_of(list(map(clean_label, free[count:])))
    if names is None or values is None or len(set(names)) < count:
        return None
    return (*fixed, *(text for pair in sorted(zip(names, values, strict=True)) for text in pair))


def _clean_name(value: object) -> str | None:
    return (clean_label(value) or None) if isinstance(value, str) else None


def _all_of(labels: Sequence[str | None]) -> tuple[str, ...] | None:
    whole = tuple(label for label in labels if label is not None)
    return whole if len(whole) == len(labels) else None
