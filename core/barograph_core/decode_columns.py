"""Reads the packed columns of a batch: ``[code, bytes]``, little-endian."""

from typing import Final, cast

import numpy as np
import numpy.typing as npt

from barograph_core.encode import MAX_EXACT_INTEGER
from barograph_core.errors import MalformedEventError
from barograph_core.events import Measure
from barograph_core.messagepack import as_array, shown

_DTYPES: Final[dict[bytes, np.dtype[np.number]]] = {
    b"B": np.dtype("<u1"),
    b"H": np.dtype("<u2"),
    b"I": np.dtype("<u4"),
    b"Q": np.dtype("<u8"),
    b"d": np.dtype("<f8"),
}


def _column(raw: object, name: str, n: int) -> npt.NDArray[np.number]:
    items = as_array(raw)
    if items is None or tuple(map(type, items)) != (bytes, bytes):
        raise MalformedEventError(f"{name} {shown(raw)} is not a column of code and bytes")
    code, content = cast("tuple[bytes, bytes]", items)
    dtype = _DTYPES.get(code)
    if dtype is None:
        raise MalformedEventError(f"{name} has the unknown column code {shown(code)}")
    if len(content) != n * dtype.itemsize:
        raise MalformedEventError(f"{name} of code {shown(code)} is {len(content)} bytes, not {n * dtype.itemsize}")
    return np.frombuffer(content, dtype)


def read_whole_numbers(raw: object, name: str, n: int, most: int) -> npt.NDArray[np.int64]:
    column = _column(raw, name, n)
    if column.dtype.kind != "u":
        raise MalformedEventError(f"{name} is a column of fractions")
    largest = int(column.max())
    if largest > most:
        raise MalformedEventError(f"{name} holds {largest}, more than {most}")
    return column.astype(np.int64)


def read_measure(raw: object, measure: Measure, n: int) -> npt.NDArray[np.float64]:
    column = _column(raw, measure.name, n)
    if column.dtype.kind == "u" and int(column.max()) > MAX_EXACT_INTEGER:
        raise MalformedEventError(f"{measure.name} holds {int(column.max())}, which a float64 does not hold exactly")
    values = column.astype(np.float64)
    # NaN makes both comparisons false, so that a column without any takes two passes and no more.
    if not (measure.accepts(float(values.min())) and measure.accepts(float(values.max()))):
        least = -measure.maximum if measure.is_signed else 0.0
        is_wrong = ~(((values >= least) & (values <= measure.maximum)) | np.isnan(values))
        if is_wrong.any():
            wrong = float(values[is_wrong][0])
            raise MalformedEventError(f"{measure.name} holds {wrong}, not in {least:g}..{measure.maximum:g}")
    return values
