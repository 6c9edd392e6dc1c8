"""Makes the function that records one kind of event, from its typed signature and the table of kinds.

The values of a record have the order of the table. A new measure needs a line in the table and a parameter in
``signatures.py``, and no change here. Each producer compiles the function once, because named parameters and a tuple
display cost less than half of ``**kwargs`` and a loop over names.
"""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias

from barograph_producer._record.buffer import FIELDS, Buffer, SlowPath
from barograph_producer._record.event_time import EventTime, make_hold

Stamp: TypeAlias = Callable[[], float]
P = ParamSpec("P")

_SOURCE: Final = """\
def make(records, is_open, limit, extend, hold, stamp_s, fill):
    def {name}{parameters}:
        {fill_in}
        if at_ms is None and is_open and len(records) < limit:
            extend((stamp_s(), {fields}))
        else:
            hold(at_ms, {fields})
    return {name}
"""
_NOTHING: Final[Mapping[str, Callable[[], object]]] = MappingProxyType({})


def make_recorder(
    signature: Callable[Concatenate[Any, P], None],
    buffer: Buffer,
    turn_away: SlowPath,
    stamp_s: Stamp,
    event_time: EventTime,
    fill: Mapping[str, Callable[[], object]] = _NOTHING,
) -> Callable[P, None]:
    """Return a function that appends one record to ``buffer``.

    Args:
        signature: The ``__call__`` of a protocol; its parameters are the fields of the buffer's records.
        buffer: Receives the records.
        turn_away: Takes a record for which the buffer has no room.
        stamp_s: Returns the time of the event.
        event_time: Reads the time that the host states.
        fill: For labels that the host may leave out, the function that returns the value to record instead.
    """
    source = _SOURCE.format(
        name=buffer.form,
        parameters=bare_signature(signature),
        fields=", ".join(FIELDS[buffer.form]),
        fill_in="; ".join(f"{name} = fill[{name!r}]() if {name} is None else {name}" for name in fill) or "pass",
    )
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<recorder of {buffer.form} events>", "exec"), namespace)  # noqa: S102  # contains only names of our own
    hold = make_hold(buffer, turn_away, stamp_s, event_time)
    records = buffer.records
    recorder = namespace["make"](records, buffer.is_open, buffer.limit, records.extend, hold, stamp_s, fill)
    recorder.__doc__ = signature.__doc__
    return recorder  # type: ignore[no-any-return]  # its parameters are those of ``signature``


def bare_signature(method: Callable[..., None]) -> inspect.Signature:
    """Return the parameters of ``method`` and their defaults, without ``self`` and without types."""
    _, *parameters = inspect.signature(method).parameters.values()
    return inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters])
