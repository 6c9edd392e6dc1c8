"""Reads packed columns, ``[code, bytes]``, little-endian: the same column of many batches at once.

Each array operation covers all batches, because an operation for each batch would make small ones expensive.
"""

from collections.abc import Sequence
from itertools import compress
from operator import mul
from typing import Final, NoReturn, TypeVar, cast

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.events.encode import MAX_EXACT_INTEGER
from barograph_core.events.kinds import MAX_WEIGHT, MAX_WEIGHTED_EVENTS, Measure
from barograph_core.events.messagepack import as_array, shown
from barograph_core.numerics.arrays import FloatArray, IntArray

_Number = TypeVar("_Number", np.int64, np.float64)

_DTYPES: Final[dict[bytes, np.dtype[np.number]]] = {
    b"B": np.dtype("<u1"),
    b"H": np.dtype("<u2"),
    b"I": np.dtype("<u4"),
    b"Q": np.dtype("<u8"),
    b"d": np.dtype("<f8"),
}
_ITEM_SIZES: Final = {code: dtype.itemsize for code, dtype in _DTYPES.items()}
_PAIR: Final = (bytes, bytes)
_MAX_INT64: Final = 2**63 - 1


def read_offsets(
    raws: Sequence[object], sizes: Sequence[int], starts: IntArray, first_ms: IntArray, spans: IntArray
) -> IntArray:
    """Return the columns of times one after another; each ranges from 0 to its span.

    Args:
        raws: A column for each entry, at least one.
        sizes: For each column the number of its values, at least 1.
        starts: For each column the place of its first value in the result.
        first_ms: For each entry the time in the header from which the offsets count.
        spans: For each entry the greatest offset: the difference between the header's two times.

    Raises:
        MalformedEventError: One of ``raws`` is no such column.
    """
    offsets = _read_whole_numbers(raws, "times", sizes)
    least, most = np.minimum.reduceat(offsets, starts), np.maximum.reduceat(offsets, starts)
    is_wrong = (least != 0) | (most != spans)
    if is_wrong.any():
        at = int(np.argmax(is_wrong))
        first, low, high = int(first_ms[at]), int(least[at]), int(most[at])
        raise MalformedEventError(
            f"times span {first + low}..{first + high}, the header says {first}..{first + int(spans[at])}"
        )
    return offsets


def read_series(raws: Sequence[object], sizes: Sequence[int], starts: IntArray, label_counts: IntArray) -> IntArray:
    """Return the columns of label set numbers one after another, each below its label count.

    Raises:
        MalformedEventError: One of ``raws`` is no such column.
    """
    series = _read_whole_numbers(raws, "series", sizes)
    most = np.maximum.reduceat(series, starts)
    is_wrong = most >= label_counts
    if is_wrong.any():
        at = int(np.argmax(is_wrong))
        raise MalformedEventError(f"series holds {most[at]}, more than {label_counts[at] - 1}")
    return series


def read_measure(raws: Sequence[object], measure: Measure, sizes: Sequence[int]) -> FloatArray:
    """Return the columns of a measure one after another.

    Raises:
        MalformedEventError: One of ``raws`` is no such column, or holds a value that the measure does not accept.
    """
    codes, contents = _codes_and_contents(raws, measure.name, sizes)
    if b"Q" in codes:
        _check_wide(codes, contents, measure.name, MAX_EXACT_INTEGER)
    values = _joined(codes, contents, sizes, np.dtype(np.float64))
    # A NaN in the column makes its minimum and maximum NaN, which is not accepted. Only then are more passes needed.
    if measure.is_flag or not (measure.accepts(float(values.min())) and measure.accepts(float(values.max()))):
        least = -measure.maximum if measure.is_signed else 0.0
        is_right = (values >= least) & (values <= measure.maximum)
        if measure.is_flag:
            is_right = (values == 0) | (values == 1)
        is_wrong = ~(is_right | np.isnan(values))
        if is_wrong.any():
            wrong = float(values[is_wrong][0])
            raise MalformedEventError(f"{measure.name} holds {wrong}, not in {least:g}..{measure.maximum:g}")
    return values


def read_weights(raw: object, n: int) -> IntArray | None:
    """Return the number of events that each of ``n`` records stands for; ``None`` when each stands for itself.

    Raises:
        MalformedEventError: ``raw`` is no such column, or a weight or their sum is out of bounds.
    """
    weights = _read_whole_numbers([raw], "weights", [n])
    least, most, events = int(weights.min()), int(weights.max()), int(weights.sum())
    if least < 1 or most > MAX_WEIGHT:
        raise MalformedEventError(f"weights hold {least if least < 1 else most}, not in 1..{MAX_WEIGHT}")
    if events > MAX_WEIGHTED_EVENTS:
        raise MalformedEventError(f"weights add up to {events}, more than {MAX_WEIGHTED_EVENTS}")
    return weights if events > n else None


def _read_whole_numbers(raws: Sequence[object], name: str, sizes: Sequence[int]) -> IntArray:
    codes, contents = _codes_and_contents(raws, name, sizes)
    if b"d" in codes:
        raise MalformedEventError(f"{name} is a column of fractions")
    if b"Q" in codes:
        _check_wide(codes, contents, name, _MAX_INT64)
    return _joined(codes, contents, sizes, np.dtype(np.int64))


def _codes_and_contents(raws: Sequence[object], name: str, sizes: Sequence[int]) -> tuple[list[bytes], list[bytes]]:
    # Each check is one pass in C over all columns, which is faster than a loop in Python over the columns.
    if set(map(type, raws)) != {tuple} or set(map(len, cast("Sequence[bytes]", raws))) != {2}:
        _refuse_columns(raws, name, sizes)
    codes, contents = map(list, zip(*cast("Sequence[tuple[bytes, bytes]]", raws), strict=True))
    if set(map(type, codes)) | set(map(type, contents)) != {bytes} or not _ITEM_SIZES.keys() >= set(codes):
        _refuse_columns(raws, name, sizes)
    if list(map(len, contents)) != list(map(mul, sizes, map(_ITEM_SIZES.__getitem__, codes))):
        _refuse_columns(raws, name, sizes)
    return codes, contents


def _refuse_columns(raws: Sequence[object], name: str, sizes: Sequence[int]) -> NoReturn:
    """Raise MalformedEventError for the first of ``raws`` that is no column."""
    for raw, size in zip(raws, sizes, strict=True):
        items = as_array(raw)
        if items is None or tuple(map(type, items)) != _PAIR:
            raise MalformedEventError(f"{name} {shown(raw)} is not a column of code and bytes")
        code, content = cast("tuple[bytes, bytes]", items)
        item_size = _ITEM_SIZES.get(code)
        if item_size is None:
            raise MalformedEventError(f"{name} has the unknown column code {shown(code)}")
        if len(content) != size * item_size:
            raise MalformedEventError(f"{name} of code {shown(code)} is {len(content)} bytes, not {size * item_size}")
    raise MalformedEventError(f"{name} is no column of code and bytes")


def _check_wide(codes: Sequence[bytes], contents: Sequence[bytes], name: str, most: int) -> None:
    wide = b"".join(compress(contents, [code == b"Q" for code in codes]))
    largest = int(np.frombuffer(wide, _DTYPES[b"Q"]).max())
    if largest > most:
        raise MalformedEventError(f"{name} holds {largest}, more than {most}")


def _joined(
    codes: Sequence[bytes], contents: Sequence[bytes], sizes: Sequence[int], dtype: "np.dtype[_Number]"
) -> "npt.NDArray[_Number]":
    kinds = set(codes)
    if len(kinds) == 1:
        return np.frombuffer(b"".join(contents), _DTYPES[codes[0]]).astype(dtype)
    values = np.empty(sum(sizes), dtype)
    code_of_value = np.repeat(np.frombuffer(b"".join(codes), np.uint8), sizes)
    for code in kinds:
        mine = b"".join(compress(contents, [other == code for other in codes]))
        values[code_of_value == code[0]] = np.frombuffer(mine, _DTYPES[code])
    return values
