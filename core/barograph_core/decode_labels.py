"""Reads the label sets of batches: there may be as many as events, so in few passes, each at C speed."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.events import MAX_FREE_LABELS, MAX_LABEL_BYTES, Kind
from barograph_core.messagepack import as_array, shown

Labels = tuple[str, ...]

MAX_STATUS: Final = 999


def count_label_sets(raw: object, n: int) -> int:
    """Return how many label sets a batch of ``n`` events has.

    Raises:
        MalformedEventError: It is no array of label sets, or they are more than ``n``.
    """
    items = as_array(raw)
    if items is None or not 1 <= len(items) <= n:
        raise MalformedEventError(f"labels {shown(raw)} is not an array of 1 to {n} label sets")
    return len(items)


def read_label_sets(raws: Iterable[object], kind: Kind) -> tuple[list[Labels], npt.NDArray[np.int32] | None]:
    """Return the label sets of many batches, one after another, without the status, and the status codes.

    Args:
        raws: What ``count_label_sets`` found to be arrays, at least one.
        kind: Of all the batches.

    Raises:
        MalformedEventError: They are not as ``events.Kind`` says.
    """
    items = list(chain.from_iterable(cast("Iterable[tuple[object, ...]]", raws)))
    if set(map(type, items)) != {tuple}:
        raise MalformedEventError(f"labels {shown(items)} holds something that is no array")
    label_sets = cast("list[tuple[object, ...]]", items)
    # Entries of one producer repeat their label sets: each is checked and turned into text once.
    distinct = list(dict.fromkeys(label_sets))
    width = len(kind.labels) + kind.has_status
    if set(map(len, distinct)) == {width}:
        positions = list(zip(*distinct, strict=True))
        labels = list(zip(*map(_label_texts, positions[: len(kind.labels)]), strict=True))
    elif kind.has_free_labels:
        labels = _free_labels(distinct, kind)
    else:
        raise MalformedEventError(f"labels of a {kind.name} event are not {width} items each")
    labels_of = dict(zip(distinct, labels, strict=True))
    # Of all, not of the distinct: to Python 1, 1.0 and True are one.
    status = _status_codes([label_set[len(kind.labels)] for label_set in label_sets]) if kind.has_status else None
    return list(map(labels_of.__getitem__, label_sets)), status


def _free_labels(label_sets: list[tuple[object, ...]], kind: Kind) -> list[Labels]:
    fixed = len(kind.labels)
    least, widths = fixed + kind.has_status, list(map(len, label_sets))
    if not all(least <= width <= least + 2 * MAX_FREE_LABELS and (width - least) % 2 == 0 for width in widths):
        raise MalformedEventError(f"labels are not {least} items and up to {MAX_FREE_LABELS} pairs each")
    if kind.has_status:
        label_sets = [label_set[:fixed] + label_set[fixed + 1 :] for label_set in label_sets]
        widths = [width - 1 for width in widths]
    texts = _label_texts(tuple(chain.from_iterable(label_sets)))
    labels = [tuple(texts[start:end]) for start, end in pairwise(accumulate(widths, initial=0))]
    for label_set in labels:
        names = label_set[fixed::2]
        if "" in names or any(left >= right for left, right in pairwise(names)):
            raise MalformedEventError(f"label names {shown(names)} are empty, repeated or not sorted")
    return labels


def _label_texts(values: Sequence[object]) -> list[str]:
    if set(map(type, values)) != {bytes}:
        raise MalformedEventError(f"labels {shown(values)} are not all text")
    raw = cast("Sequence[bytes]", values)
    if max(map(len, raw)) > MAX_LABEL_BYTES:
        raise MalformedEventError(f"a label is longer than {MAX_LABEL_BYTES} bytes")
    try:
        texts = b"\0".join(raw).decode().split("\0")
        # A label may hold the separator itself.
        return texts if len(texts) == len(raw) else [label.decode() for label in raw]
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"labels are not UTF-8: {shown(error.object[error.start :])}") from error


def _status_codes(values: Sequence[object]) -> npt.NDArray[np.int32]:
    # bool is an int to Python, and would count as status 0 or 1.
    if set(map(type, values)) != {int}:
        raise MalformedEventError(f"status {shown(values)} is not all integers")
    codes = cast("Sequence[int]", values)
    if min(codes) < 0 or max(codes) > MAX_STATUS:
        wrong = min(codes) if min(codes) < 0 else max(codes)
        raise MalformedEventError(f"status {wrong} is not in 0..{MAX_STATUS}")
    return np.array(codes, np.int32)
