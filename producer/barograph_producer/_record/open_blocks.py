"""Finds the ``with`` block that ends, among all that are open with one object in several tasks and threads."""

from collections.abc import Iterator
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

# A frame, identified while it is alive. After its end another may get its id, but not one of the same code that ends a
# block and did not begin one.
FrameKey: TypeAlias = tuple[int, CodeType | None]


class _Block(Generic[T]):
    """An open block.

    Attributes:
        value: What its owner keeps with it.
        blocks: The blocks of its owner.
        frame: The frame that opened it.
        outer: The block that was open in this context before, of any owner.
        is_open: Whether it has not ended; contexts that were copied from its own may hold it longer.
    """

    __slots__ = ("blocks", "frame", "is_open", "outer", "value")

    def __init__(self, value: T, blocks: "OpenBlocks[T]", frame: FrameKey, outer: "_Block[object] | None") -> None:
        self.value = value
        self.blocks = blocks
        self.frame = frame
        self.outer = outer
        self.is_open = True


# The newest open block of this thread or task; the older ones follow through ``outer``.
_newest: ContextVar[_Block[object] | None] = ContextVar("barograph_newest_block", default=None)


class OpenBlocks(Generic[T]):
    """The open blocks of one owner. Lock-free."""

    def __init__(self) -> None:
        self._open: dict[_Block[T], None] = {}

    def open(self, value: T, frame: FrameKey) -> None:
        """Note that a block begins in ``frame``."""
        outer = _newest.get()
        block = _Block(value, self, frame, outer if outer is None else _first_open(outer))
        self._open[block] = None
        _newest.set(block)  # type: ignore[arg-type]  # the chain only reads what it holds

    def close(self, frame: FrameKey) -> T | None:
        """Return the value of the block that ends in ``frame``; ``None`` if none is open.

        A block begins and ends in one frame, which identifies it also in a generator that other tasks resume. An
        ``ExitStack`` or a framework begins it in one frame and ends it in another: then it is the newest of this task
        or thread, and otherwise (beginning and end ran in two threads of a pool) the newest of all.
        """
        newest = _newest.get()
        # For nearly all blocks this is the one, and a search would cost as much as all the rest.
        if newest is not None and newest.frame == frame and newest.blocks is self and newest.is_open:
            block: _Block[T] | None = newest  # type: ignore[assignment]  # it is one of ``self._open``
        else:
            block = self._find(frame)
        if block is None:
            return None
        block.is_open = False
        self._open.pop(block, None)
        _forget_closed()
        return block.value

    def _find(self, frame: FrameKey) -> "_Block[T] | None":
        newest: _Block[T] | None = None
        for block in _chain():
            if block.blocks is self and block.is_open:
                own: _Block[T] = block  # type: ignore[assignment]  # it is one of ``self._open``
                if own.frame == frame:
                    return own
                newest = newest or own
        everywhere = list(self._open)
        everywhere.reverse()
        return next((block for block in everywhere if block.frame == frame), newest or next(iter(everywhere), None))


def caller_of(frame: FrameType | None) -> FrameKey:
    """Return the key of the frame that called ``frame``."""
    caller = None if frame is None else frame.f_back
    return (0, None) if caller is None else (id(caller), caller.f_code)


def _chain() -> "Iterator[_Block[object]]":
    block = _newest.get()
    while block is not None:
        yield block
        block = block.outer


def _first_open(block: "_Block[object] | None") -> "_Block[object] | None":
    while block is not None and not block.is_open:
        block = block.outer
    return block


def _forget_closed() -> None:
    """Take closed blocks out of the chain of this context, so that blocks which overlap for ever do not pile up."""
    block = _newest.get()
    if block is not None and not block.is_open:
        block = _first_open(block)
        _newest.set(block)
    while block is not None:
        block.outer = _first_open(block.outer)
        block = block.outer
