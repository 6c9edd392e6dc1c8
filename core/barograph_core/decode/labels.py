"""Reads the label sets of batches in few passes at the speed of C, because there may be as many as events."""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from typing import Final, cast

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import MAX_FREE_LABELS, MAX_LABEL_BYTES, Kind, Labels
from barograph_core.events.messagepack import shown

MAX_STATUS: Final = 999


def read_label_sets(label_sets: Sequence[tuple[object, ...]], kind: Kind) -> tuple[list[Labels], list[int]]:
    """Return the label sets without the status, as text, and the status of each, 0 where the kind has none.

    ``label_sets`` holds at least one.

    Raises:
        MalformedEventError: They are not label sets of ``kind``.
    """
    width = len(kind.labels) + kind.has_status
    if set(map(len, label_sets)) == {width}:
        positions = list(zip(*label_sets, strict=True))
        labels = list(zip(*map(_label_texts, positions[: len(kind.labels)]), strict=True))
    elif kind.has_free_labels:
        labels = _free_labels(label_sets, kind)
    else:
        raise MalformedEventError(f"labels of a {kind.name} event are not {width} items each")
    if not kind.has_status:
        return labels, [0] * len(labels)
    return labels, _status_codes([label_set[len(kind.labels)] for label_set in label_sets])


def _free_labels(label_sets: Sequence[tuple[object, ...]], kind: Kind) -> list[Labels]:
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
        # A label may contain the separator itself.
        return texts if len(texts) == len(raw) else [label.decode() for label in raw]
    except UnicodeDecodeError as error:
        raise MalformedEventError(f"labels are not UTF-8: {shown(error.object[error.start :])}") from error


def _status_codes(values: Sequence[object]) -> list[int]:
    """Return ``values`` if all are status codes.

    Raises:
        MalformedEventError: One is not.
    """
    # Python's bool is an int, and would count as status 0 or 1.
    if set(map(type, values)) != {int}:
        raise MalformedEventError(f"status {shown(values)} is not all integers")
    codes = cast("list[int]", values)
    if min(codes) < 0 or max(codes) > MAX_STATUS:
        wrong = min(codes) if min(codes) < 0 else max(codes)
        raise MalformedEventError(f"status {wrong} is not in 0..{MAX_STATUS}")
    return codes
