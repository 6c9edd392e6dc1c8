"""Converts labels from the host to label sets for the wire, and bounds the number of label sets."""

import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from barograph_core.events.encode import LabelSet
from barograph_core.events.kinds import KINDS, MAX_FREE_LABELS, MAX_LABEL_BYTES, OTHER_LABEL, KindName
from barograph_producer._pack.cardinality import CardinalityReport
from barograph_producer._record.request_keys import RawKey, is_short

INVALID: Final = -1
_MAX_STATUS: Final = 999
# Most raw keys remembered for each admitted label set: a request has one for each status.
_CACHED_KEYS_PER_SET: Final = 8
# Part of the bound that label sets which others are folded into may take in addition.
_FOLDED_SHARE: Final = 10


def clean_label(value: object) -> str | None:
    """Return ``value`` as a label, or ``None`` if it cannot be one.

    Text is accepted, and so are whole numbers, because versions are often numbers. A label that is too long is
    refused and not cut, because two labels that differ only after the cut would silently become one.
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
    """Return ``value`` as a route label, cut to the limit: routes come from clients and may have any length."""
    if not isinstance(value, str):
        return None
    encoded = value.encode(errors="replace")
    return encoded[:MAX_LABEL_BYTES].decode(errors="ignore")


def clean_status(value: object) -> int | None:
    """Return ``value`` as a status from 0 to 999, or ``None``. Any type of whole number passes (``HTTPStatus``)."""
    try:
        status = operator.index(value)  # type: ignore[arg-type]  # raises TypeError if it is not a number
    except TypeError:
        return None
    return status if 0 <= status <= _MAX_STATUS else None


def custom_key(name: object, labels: object) -> RawKey:
    """Return the raw key of a custom event: its name, then the names of its labels, then their values."""
    if not isinstance(labels, dict):
        return (name,)
    free = cast("dict[object, object]", labels)
    return (name, *free, *free.values())


def free_key(fixed: Sequence[object], labels: object) -> RawKey:
    """Return the raw key of a sampled request: its fixed labels and status, then the free labels' names and values.

    If the free labels are not a mapping, the key is invalid.
    """
    if labels is None:
        return tuple(fixed)
    if not isinstance(labels, dict):
        return (*fixed, labels)
    free = cast("dict[object, object]", labels)
    return (*fixed, *free, *free.values())


class LabelSets:
    """Numbers the label sets of one process. Only the shipping thread may use it.

    One dictionary look-up finds a label set that was used before. Once ``max_sets`` are admitted (not counting
    different statuses), a new label set loses the values of its free labels and keeps the fixed ones; up to a tenth
    more sets are kept for that. The rest, and sets without free labels, are folded into the ``__other__`` set of their
    kind. ``system`` events are exempt, because the producer records them itself.

    Attributes:
        generation: How often all numbers were dropped; a number is valid within one generation.
    """

    def __init__(self, max_sets: int) -> None:
        self.generation = 0
        self._max_sets = max_sets
        self._cache_limit = max_sets * _CACHED_KEYS_PER_SET
        self._admitted: set[tuple[KindName, LabelSet]] = set()
        self._max_folded = max(1, max_sets // _FOLDED_SHARE)
        self._folded: set[tuple[KindName, LabelSet]] = set()
        self._numbers: dict[KindName, dict[RawKey, int]] = {}
        self._sets: list[LabelSet] = []
        # Numbers of the ``__other__`` sets, each with the name of the label that had too many values.
        self._others: dict[int, str] = {}
        self._number_of: dict[tuple[KindName, LabelSet, str], int] = {}
        self._report: CardinalityReport | None = None
        self.forget()

    @property
    def cached_keys(self) -> int:
        """Number of raw keys that are remembered."""
        return sum(map(len, self._numbers.values()))

    def forget(self) -> None:
        """Drop all numbers; the admitted label sets stay admitted."""
        self.generation += 1
        self._numbers = {kind.name: {} for kind in KINDS.values()}
        self._sets, self._others, self._number_of = [], {}, {}

    def numbers(self, kind: KindName, keys: Iterable[RawKey]) -> list[int]:
        """Return for each raw key the number of its label set, ``INVALID`` if it has none.

        The numbers are valid until the next call.

        Args:
            kind: The kind of the events.
            keys: Must allow a second iteration, which keys that are new need.
        """
        if len(self._sets) > self._cache_limit or self.cached_keys > self._cache_limit:
            self.forget()
        known = self._numbers[kind]
        try:
            # ``map`` drops each key at once, so that ``zip`` over the columns reuses one tuple for all rows.
            found = list(map(known.get, keys))
        except Exception:  # noqa: BLE001  # an unhashable label, or one whose __hash__ raises
            return [self._number(kind, key) for key in keys]
        if None not in found:
            return [number for number in found if number is not None]
        return [self._number(kind, key) if number is None else number for key, number in zip(keys, found, strict=True)]

    def label_set(self, number: int) -> LabelSet:
        return self._sets[number]

    def folded(self, numbers: Sequence[int]) -> Mapping[str, int]:
        """Return how many of ``numbers`` are of ``__other__`` sets, by the label that had too many values."""
        if not self._others:
            return {}
        return Counter(map(self._others.__getitem__, filter(self._others.__contains__, numbers)))

    def _number(self, kind: KindName, key: RawKey) -> int:
        known = self._numbers[kind]
        try:
            number = known.get(key)
            if number is None:
                number = self._intern(kind, key)
                if is_short(key):  # the host may pass texts of any length
                    known[key] = number
        except Exception:  # noqa: BLE001  # an unhashable label, or one whose __hash__ raises
            return INVALID
        return number

    def _intern(self, kind: KindName, key: RawKey) -> int:
        cleaned = _clean(kind, key)
        if cleaned is None:
            return INVALID
        fixed = len(KINDS[kind].labels)
        free_from = fixed + KINDS[kind].has_status
        labels = cleaned[:fixed] + cleaned[free_from:]
        blamed = "" if self._admit(kind, labels) else self._blame(kind, labels)
        label_set = self._fold(kind, cleaned, fixed, free_from) if blamed else cleaned
        number = self._number_of.get((kind, label_set, blamed))
        if number is None:
            number = self._number_of[kind, label_set, blamed] = len(self._sets)
            self._sets.append(label_set)
            if blamed:
                self._others[number] = blamed
        return number

    def _fold(self, kind: KindName, cleaned: LabelSet, fixed: int, free_from: int) -> LabelSet:
        """Return the label set that stands for a refused one."""
        free = tuple(part if at % 2 == 0 else OTHER_LABEL for at, part in enumerate(cleaned[free_from:]))
        folded = (kind, cleaned[:fixed] + free)
        if free and (folded in self._folded or len(self._folded) < self._max_folded):
            self._folded.add(folded)
            return cleaned[:free_from] + free
        return (OTHER_LABEL,) * fixed + cleaned[fixed:free_from]

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
    if len(key) < 3:  # the host may pass anything
        return None
    route, method, status, *free = key
    labels = _all_of([cut_route(route), clean_label(method)])
    code = clean_status(status)
    return None if labels is None or code is None else _with_free((*labels, code), free)


def _with_free(fixed: LabelSet | None, free: Sequence[object]) -> LabelSet | None:
    """Return ``fixed``, then the name and value pairs of ``free`` sorted by name; in ``free`` all names come first."""
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
