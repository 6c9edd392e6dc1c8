"""Records many predictions in one call, from whatever holds numbers: lists, ``array.array``, numpy arrays."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, SupportsFloat, TypeAlias, cast

from barograph_producer._buffer import RECORD_WIDTHS, Buffer, SlowPath
from barograph_producer._recorder import Stamp

_WIDTH: Final = RECORD_WIDTHS["model"]
_LABELS_AND_TIME: Final = 3


class HoldsNumbers(Protocol):
    """What knows its numbers as plain Python ones: numpy, torch and pandas, ``array.array``, ``memoryview``.

    By this method they are taken without importing any of them.
    """

    def tolist(self) -> object: ...


Numbers: TypeAlias = Sequence[SupportsFloat | None] | HoldsNumbers
Column: TypeAlias = Numbers | SupportsFloat | None


class RecordModels(Protocol):
    """Record many predictions of one model in one call."""

    def __call__(
        self,
        model: str,
        version: str = "",
        *,
        latency_ms: Column = None,
        confidence: Column = None,
        prediction: Column = None,
        absolute_error: Column = None,
    ) -> None:
        """Record one event for each row. Never raises, never waits; bounded by the buffer's room.

        Each column is a sequence or an array with one number a row, a single number that holds for every row,
        or left out. ``None`` within a list says that the row lacks the measure; NaN, as with ``model``, makes the row
        invalid. Arrays of shape (n, 1) are columns too. Columns of different lengths, and what holds no
        numbers, make the whole call invalid: its rows are counted and the reason is logged, at most once a minute.
        """
        ...


class Complain(Protocol):
    """Counts events as invalid and keeps the reason for the log. Must not raise."""

    def __call__(self, events: int, reason: str, /) -> None: ...


class _WrongColumnError(Exception):
    """A column is none, or its length is not that of the others. Caught in this module."""

    def __init__(self, reason: str, rows: int) -> None:
        super().__init__(reason)
        self.rows = rows


def make_models_recorder(buffer: Buffer, turn_away: SlowPath, stamp_s: Stamp, complain: Complain) -> RecordModels:
    """Return the function that records many model events with one ``extend``."""
    records, extend = buffer.records, buffer.records.extend

    def models(
        model: str,
        version: str = "",
        *,
        latency_ms: Column = None,
        confidence: Column = None,
        prediction: Column = None,
        absolute_error: Column = None,
    ) -> None:
        try:
            flat = _flatten(
                stamp_s(),
                model,
                version,
                {
                    "latency_ms": latency_ms,
                    "confidence": confidence,
                    "prediction": prediction,
                    "absolute_error": absolute_error,
                },
            )
            if len(records) + len(flat) <= buffer.limit:
                extend(flat)
            else:
                turn_away(buffer, tuple(flat))
        except _WrongColumnError as error:
            complain(error.rows, str(error))
        except Exception as error:  # noqa: BLE001  # an array of the host's own kind may raise anything
            complain(1, repr(error))

    return models


def _flatten(stamp_s: float, model: str, version: str, columns: dict[str, Column]) -> list[object]:
    """Return the records one after another, as the buffer holds them.

    Filled by strides: assigning a slice costs a few ns a value, a loop in Python ten times that.
    """
    rows = {name: _rows_of(name, column) for name, column in columns.items()}
    lengths = {name: len(values) for name, values in rows.items() if isinstance(values, list)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise _WrongColumnError(f"columns differ in length: {told}", max(lengths.values()))
    n = next(iter(lengths.values()), 1)
    flat: list[object] = [stamp_s, model, version, None, None, None, None] * n
    for position, values in enumerate(rows.values(), start=_LABELS_AND_TIME):
        if isinstance(values, list):
            flat[position::_WIDTH] = values
        elif values is not None:
            flat[position::_WIDTH] = [values] * n
    return flat


def _rows_of(name: str, column: Column) -> list[object] | SupportsFloat | None:
    """Return a column's values, or the one value or ``None`` that holds for every row."""
    if column is None or isinstance(column, int | float):
        return column
    # Not isinstance with the protocol, which takes 5 µs to say no.
    to_list: Callable[[], object] | None = getattr(column, "tolist", None)
    values: object = column if to_list is None else to_list()
    kind = type(cast("object", column)).__name__
    if isinstance(values, str | bytes | bytearray | dict):
        raise _WrongColumnError(f"{name} is of type {kind}, which is no column of numbers", 1)
    if isinstance(values, list | Sequence):
        rows = list(cast("Sequence[object]", values))
        return _without_second_axis(name, rows) if rows and isinstance(rows[0], list) else rows
    if hasattr(type(values), "__float__"):  # a decimal, say; numpy's scalars are plain numbers by now
        return cast("SupportsFloat", values)
    raise _WrongColumnError(f"{name} is of type {kind}, which is no column of numbers", 1)


def _without_second_axis(name: str, rows: list[object]) -> list[object]:
    nested = [cast("list[object]", row) for row in rows if isinstance(row, list)]
    flat = [row[0] for row in nested if len(row) == 1]
    if len(flat) != len(rows):
        raise _WrongColumnError(f"{name} has more than one number a row", len(rows))
    return flat
