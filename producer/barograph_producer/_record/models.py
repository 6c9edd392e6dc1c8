"""Records many predictions in one call, from lists, ``array.array``, numpy arrays and other columns of numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, SupportsFloat, cast

from barograph_core.events.kinds import KINDS
from barograph_producer._record.buffer import RECORD_WIDTHS, Buffer, SlowPath
from barograph_producer._record.event_time import EventTime, RejectInput
from barograph_producer._record.generated import Stamp, bare_signature
from barograph_producer._record.signatures import Column, RecordModels

_MEASURES: Final = KINDS["model"].measure_names
_WIDTH: Final = RECORD_WIDTHS["model"]
_LABELS_AND_TIME: Final = _WIDTH - len(_MEASURES)


class _WrongColumnError(Exception):
    """A column has no numbers, or a length that differs from the others'. Caught in this module."""

    def __init__(self, reason: str, rows: int) -> None:
        super().__init__(reason)
        self.rows = rows


def make_models_recorder(
    buffer: Buffer, turn_away: SlowPath, stamp_s: Stamp, event_time: EventTime, reject_input: RejectInput
) -> RecordModels:
    """Return the function that records many model events with one ``extend``."""
    records, extend = buffer.records, buffer.records.extend

    def models(model: str, version: str = "", *, at_ms: float | None = None, **columns: Column | None) -> None:
        unknown = columns.keys() - _MEASURES
        if unknown:  # as Python does for a function with named parameters
            raise TypeError(f"models() got an unexpected keyword argument {min(unknown)!r}")
        at_s = stamp_s() if at_ms is None else event_time(at_ms)
        if at_s is None:
            return
        try:
            flat = _flatten(at_s, model, version, columns)
            if buffer.is_open and len(records) + len(flat) <= buffer.limit:
                extend(flat)
            else:
                turn_away(buffer, tuple(flat))
        except _WrongColumnError as error:
            reject_input(error.rows, str(error))
        except Exception as error:  # noqa: BLE001  # an array of the host's own kind may raise anything
            reject_input(1, repr(error))

    models.__doc__ = RecordModels.__doc__
    models.__dict__["__signature__"] = bare_signature(RecordModels.__call__)
    return models


def _flatten(stamp_s: float, model: str, version: str, columns: Mapping[str, Column | None]) -> list[object]:
    """Return the records one after another, in the layout of the buffer.

    Assigns each column to a stride of the list, which costs a few ns a value; a Python loop costs ten times as much.
    """
    rows = {name: _rows_of(name, columns.get(name)) for name in _MEASURES}
    lengths = {name: len(values) for name, values in rows.items() if isinstance(values, list)}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise _WrongColumnError(f"columns differ in length: {listed}", max(lengths.values()))
    n = next(iter(lengths.values()), 1)
    flat: list[object] = [stamp_s, model, version, *(None for _ in _MEASURES)] * n
    for position, values in enumerate(rows.values(), start=_LABELS_AND_TIME):
        if isinstance(values, list):
            flat[position::_WIDTH] = values
        elif values is not None:
            flat[position::_WIDTH] = [values] * n
    return flat


def _rows_of(name: str, column: Column | None) -> list[object] | SupportsFloat | None:
    """Return the values of a column, or the single value or ``None`` that applies to every row."""
    if column is None or isinstance(column, int | float):
        return column
    # ``isinstance`` with the protocol would take 5 µs for a column that has no such method.
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
