"""Reads the label sets of a batch: there may be as many as events, so in few passes, each at C speed."""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.events import MAX_FREE_LABELS, MAX_LABEL_BYTES, Kind
from barograph_core.messagepack import as_array, shown

Labels = tuple[str, ...]

MAX_STATUS: Final = 999


def read_label_sets(raw: object, kind: Kind, n: int) -> tuple[tuple[Labels, ...], npt.NDArray[np.int32] | None]:
    """Return the label sets without the status, and for each its status code where the kind has one.

    Raises:
        MalformedEventError: They are not as ``events.Kind`` says, or more than ``n``.
    """
    items = as_array(raw)
    if items is None or not 1 <= len(items) <= n:
        raise MalformedEventError(f"labels {shown(raw)} is not an array of 1 to {n} label sets")
    if set(map(type, items)) != {tuple}:
        raise MalformedEventError(f"labels {shown(raw)} holds something that is no array")
    label_sets = cast("tuple[tuple[object, ...], ...]", items)
    if kind.has_free_labels:
        return _free_label_sets(label_sets, len(kind.labels)), None
    width = len(kind.labels) + kind.has_status
    if set(map(len, label_sets)) != {width}:
        raise MalformedEventError(f"labels of a {kind.name} event are not {width} items each")
    positions = list(zip(*label_sets, strict=True))
    labels = tuple(zip(*map(_label_texts, positions[: len(kind.labels)]), strict=True))
    return labels, _status_codes(positions[-1]) if kind.has_status else None


def _free_label_sets(label_sets: tuple[tuple[object, ...], ...], fixed: int) -> tuple[Labels, ...]:
    widths = list(map(len, label_sets))
    if not all(fixed <= width <= fixed + 2 * MAX_FREE_LABELS and (width - fixed) % 2 == 0 for width in widths):
        raise MalformedEventError(f"labels are not {fixed} items and up to {MAX_FREE_LABELS} pairs each")
    texts = _label_texts(tuple(chain.from_iterable(label_sets)))
    labels = tuple(tuple(texts[start:end]) for start, end in pairwise(accumulate(widths, initial=0)))
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
