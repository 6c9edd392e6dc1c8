"""MessagePack as the servers read it: the one place that touches the untyped package."""

from collections.abc import Callable
from reprlib import Repr
from typing import Any, cast

import msgpack  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # ships no types

from barograph_core.errors import MalformedEventError

_packb = cast("Callable[..., bytes]", msgpack.packb)  # pyright: ignore[reportUnknownMemberType]
_unpackb = cast("Callable[..., Any]", msgpack.unpackb)  # pyright: ignore[reportUnknownMemberType]
_quote = Repr()
_quote.maxlevel, _quote.maxtuple, _quote.maxother = 2, 4, 60


def pack(value: object) -> bytes:
    """Pack ``value``; texts and bytes alike become the old raw type.

    The ``cmsgpack`` of the servers rejects the newer bin type, and people read batches with it.
    """
    return _packb(value, use_bin_type=False)


def unpack_array(data: bytes, *, max_items: int) -> tuple[object, ...]:
    """Unpack an array of integers, floats, nil, raw bytes and nested arrays (as tuples), and nothing else.

    Maps, bin and ext types never occur in our formats. Memory is bounded by the length of ``data``
    (about sixty times it, for the most deeply nested arrays), so the caller checks that first.

    Args:
        data: What a stranger may have written.
        max_items: The most any one array may hold.

    Raises:
        MalformedEventError: It is not such an array.
    """
    try:
        value: object = _unpackb(
            data,
            raw=True,
            use_list=False,
            strict_map_key=True,
            max_str_len=len(data),
            max_bin_len=0,
            max_array_len=max_items,
            max_map_len=0,
            max_ext_len=0,
        )
    # ValueError covers format, nesting and trailing bytes; the others are msgpack's remaining exceptions.
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException) as error:
        raise MalformedEventError(f"data is not our MessagePack: {str(error)[:80] or type(error).__name__}") from error
    array = as_array(value)
    if array is None:
        raise MalformedEventError(f"data holds {shown(value)}, not an array")
    return array


def as_array(value: object) -> tuple[object, ...] | None:
    """Return ``value`` when it is an array, and ``None`` otherwise."""
    return cast("tuple[object, ...]", value) if isinstance(value, tuple) else None


def shown(value: object) -> str:
    """Quote what a stranger wrote, cut to what fits into a reason."""
    return _quote.repr(value)
