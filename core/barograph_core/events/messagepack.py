"""MessagePack as the servers read it: the only module that uses the untyped package."""

from collections.abc import Callable, Sequence
from itertools import islice
from reprlib import Repr
from typing import Any, cast

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # ships no types

from barograph_core.errors import MalformedEventError

_packb = cast("Callable[..., bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpackb = cast("Callable[..., Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_Unpacker = cast("Callable[..., Any]", msgpack.Unpacker)  # pyright: ignore[reportUnknownMemberType]
# ValueError covers format, nesting and trailing bytes. The others are the remaining exceptions of msgpack.
_ERRORS = (ValueError, TypeError, OverflowError, msgpack.UnpackException)
_quote = Repr()
_quote.maxlevel, _quote.maxtuple, _quote.maxother = 2, 4, 60


def pack(value: object) -> bytes:
    """Pack ``value``; text and bytes both become the old raw type.

    The ``cmsgpack`` of the servers, with which people read batches, rejects the newer bin type.
    """
    return _packb(value, use_bin_type=False)


def unpack_array(data: bytes, *, max_items: int) -> tuple[object, ...]:
    """Unpack an array of items that ``unpack_value`` accepts.

    Raises:
        MalformedEventError: It is not such an array.
    """
    value = unpack_value(data, max_items=max_items)
    array = as_array(value)
    if array is None:
        raise MalformedEventError(f"data holds {shown(value)}, not an array")
    return array


def unpack_value(data: bytes, *, max_items: int) -> object:
    """Unpack an integer, float, nil, raw bytes, or nested arrays of them (as tuples), and nothing else.

    Maps, bin and ext types never occur in our formats. The memory needed is up to sixty times the length of ``data``
    (for the most deeply nested arrays), so the caller checks that length first.

    Args:
        data: Bytes that any client may have written.
        max_items: Limit of the items of each array.

    Raises:
        MalformedEventError: ``data`` is anything else.
    """
    try:
        value: object = _unpackb(data, raw=True, use_list=False, max_str_len=len(data), **_limits(max_items))
    except _ERRORS as error:
        raise _not_ours(error) from error
    return value


def unpack_arrays(
    packed: Sequence[bytes], *, items: tuple[int, int], max_items: int
) -> list[tuple[object, bytes, list[object]]]:
    """Unpack many arrays as ``unpack_array`` does, except their second items, which stay packed.

    A skipped item costs almost nothing, and sharing one unpacker halves the cost of a small array.

    Args:
        packed: One array each. Their second items are not checked: the caller checks them when it unpacks them.
        items: Least and greatest number of items of each array; the least is 2 or more.
        max_items: Limit of the items of any array inside them.

    Returns:
        For each array its first item, its second item packed, and its other items.

    Raises:
        MalformedEventError: One of ``packed`` is no such array.
    """
    joined, (least, most) = b"".join(packed), items
    source = _Unpacker(
        None, raw=True, use_list=False, max_buffer_size=len(joined) + 1, max_str_len=len(joined), **_limits(max_items)
    )
    found: list[tuple[object, bytes, list[object]]] = []
    end_of_array = 0
    try:
        source.feed(joined)
        count, unpack, skip, tell = source.read_array_header, source.unpack, source.skip, source.tell
        for data in packed:
            end_of_array += len(data)
            size = count()
            if not least <= size <= most:
                raise MalformedEventError(f"data holds {size} parts, not {least} or {most}")
            first, start, _, end = unpack(), tell(), skip(), tell()
            others: list[object] = list(islice(source, size - 2))
            found.append((first, joined[start:end], others))
            if len(others) != size - 2 or tell() != end_of_array:
                raise MalformedEventError("data is not our MessagePack: it does not end with its array")
    except _ERRORS as error:
        raise _not_ours(error) from error
    return found


def split_arrays(packed: Sequence[bytes], *, max_items: int) -> tuple[list[bytes], list[int]]:
    """Return the items of many packed arrays, still packed and not checked, and the number of items of each array.

    Raises:
        MalformedEventError: One of ``packed`` is not an array of 1 to ``max_items`` items.
    """
    joined = b"".join(packed)
    source = _Unpacker(None, raw=True, max_buffer_size=len(joined) + 1)
    counts: list[int] = []
    ends = [0]
    starts: list[int] = []
    try:
        source.feed(joined)
        skip, tell, note_end = source.skip, source.tell, ends.append
        for _ in packed:
            count = source.read_array_header()
            if not 1 <= count <= max_items:
                raise MalformedEventError(f"an array of {count} is not one of 1 to {max_items}")
            counts.append(count)
            starts.append(tell())
            for _ in range(count):
                skip()
                note_end(tell())
    except _ERRORS as error:
        raise _not_ours(error) from error
    # Every item begins where the one before it ends, except the first of each array.
    begins = ends[:-1]
    at = 0
    for count, start in zip(counts, starts, strict=True):
        begins[at] = start
        at += count
    return [joined[begin:end] for begin, end in zip(begins, ends[1:], strict=True)], counts


def _limits(max_items: int) -> "dict[str, Any]":
    return {"strict_map_key": True, "max_bin_len": 0, "max_array_len": max_items, "max_map_len": 0, "max_ext_len": 0}


def _not_ours(error: Exception) -> MalformedEventError:
    return MalformedEventError(f"data is not our MessagePack: {str(error)[:80] or type(error).__name__}")


def as_array(value: object) -> tuple[object, ...] | None:
    """Return ``value`` if it is an array, else ``None``."""
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else None


def shown(value: object) -> str:
    """Return ``value`` quoted, and cut to a length that fits into a reason."""
    return _quote.repr(value)
