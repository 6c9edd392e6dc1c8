"""Columns of numbers as bytes, one after another, each in the narrowest width that holds it."""

from typing import Final

import numpy as np
import numpy.typing as npt

from barograph_core.errors import MalformedEventError
from barograph_core.numerics.arrays import FloatArray, IntArray

# Limit of a packed integer: sums of as many as fit in a packed pane stay within int64.
MAX_PACKED: Final = 2**40
_UNSIGNED: Final = {code: np.dtype(name) for code, name in ((b"B", "<u1"), (b"H", "<u2"), (b"I", "<u4"), (b"Q", "<u8"))}
_FLOAT: Final = np.dtype("<f8")
_DIGIT: Final = np.dtype("<i4")


class ColumnWriter:
    """Collects columns. Does not write their lengths: the reader knows them from earlier columns."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def integers(self, values: IntArray) -> None:
        """Add a column of integers from 0 on."""
        code = _narrowest(int(values.max(initial=0)))
        self._parts += (code, values.astype(_UNSIGNED[code]).tobytes())

    def floats(self, values: FloatArray) -> None:
        self._parts.append(values.astype(_FLOAT).tobytes())

    def digits(self, values: IntArray) -> None:
        """Add a column of signed integers of 32 bits."""
        self._parts.append(values.astype(_DIGIT).tobytes())

    def raw(self, content: bytes) -> None:
        self._parts.append(content)

    def content(self) -> bytes:
        return b"".join(self._parts)


class ColumnReader:
    """Reads columns in the order in which they were written. Every method raises MalformedEventError."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def integers(self, count: int, name: str, most: int = MAX_PACKED, least: int = 0) -> IntArray:
        """Read ``count`` integers, each in ``least .. most``."""
        code = self.raw(1, name)
        dtype = _UNSIGNED.get(code)
        if dtype is None:
            raise MalformedEventError(f"{name} has the unknown column code {code!r}")
        values = self._array(count, dtype, name)
        largest = int(values.max(initial=0))
        if count and not least <= int(values.min()) <= largest <= most:
            raise MalformedEventError(f"{name} spans {values.min()}..{largest}, not within {least}..{most}")
        if code != _narrowest(largest):
            raise MalformedEventError(f"{name} up to {largest} has the wider column code {code!r}")
        return values.astype(np.int64)

    def floats(self, count: int, name: str) -> FloatArray:
        return self._array(count, _FLOAT, name).astype(np.float64)

    def digits(self, count: int, name: str) -> IntArray:
        return self._array(count, _DIGIT, name).astype(np.int64)

    def raw(self, size: int, name: str) -> bytes:
        end = self._position + size
        if end > len(self._content):
            raise MalformedEventError(f"{name} ends {end - len(self._content)} bytes after the data")
        content = self._content[self._position : end]
        self._position = end
        return content

    def finish(self) -> None:
        """Refuse bytes after the last column."""
        if self._position != len(self._content):
            raise MalformedEventError(f"{len(self._content) - self._position} bytes follow the last column")

    def _array(self, count: int, dtype: "np.dtype[np.generic]", name: str) -> npt.NDArray[np.generic]:
        return np.frombuffer(self.raw(count * dtype.itemsize, name), dtype)


def _narrowest(largest: int) -> bytes:
    return b"B" if largest < 1 << 8 else b"H" if largest < 1 << 16 else b"I" if largest < 1 << 32 else b"Q"
