"""The recording functions agree with the table of kinds: a measure is named in one place of each."""

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from barograph_core.events.kinds import KINDS, Kind, Measure
from barograph_producer import Producer
from barograph_producer._record import buffer as forms
from barograph_producer._record.buffer import FIELDS, Buffer, Record
from barograph_producer._record.generated import make_recorder
from barograph_producer._record.signatures import (
    ModelSignature,
    RecordCustom,
    RecordModel,
    RecordModels,
    RecordRequest,
    RecordSampledRequest,
    RecordSystem,
)

SIGNATURES: list[tuple[str, Callable[..., None]]] = [
    ("request", RecordRequest.__call__),
    ("request", RecordSampledRequest.__call__),
    ("model", RecordModel.__call__),
    ("model", RecordModels.__call__),
    ("system", RecordSystem.__call__),
    ("custom", RecordCustom.__call__),
]


def refuse(buffer: Buffer, record: Record) -> None:
    raise AssertionError(f"no room in {buffer.form} for {record}")


def opened(form: forms.Form) -> Buffer:
    buffer = Buffer(form, 10)
    buffer.open()
    return buffer


def refuse_time(at_ms: object) -> None:
    raise AssertionError(f"nobody states the time {at_ms!r} here")


def stamp_s() -> float:
    return 1.0


@pytest.mark.parametrize(("kind", "signature"), SIGNATURES)
def test_a_signature_has_the_labels_and_measures_of_its_kind(kind: str, signature: Callable[..., None]) -> None:
    """Neither the table of kinds nor a signature gains a measure without the other."""
    parameters = list(inspect.signature(signature).parameters)[1:]
    extra = ("weight", "labels", "status", "at_ms")
    assert "at_ms" in parameters
    named = [name for name in parameters if name not in extra]
    assert named == [*KINDS[kind].labels, *KINDS[kind].measure_names]


@pytest.mark.parametrize(("kind", "signature"), SIGNATURES)
def test_only_a_required_measure_must_be_given(kind: str, signature: Callable[..., None]) -> None:
    """What the packer would count as invalid cannot be left out of a call, and the rest can."""
    parameters = inspect.signature(signature).parameters
    required = {name for name in KINDS[kind].measure_names if parameters[name].default is inspect.Parameter.empty}
    assert required == {measure.name for measure in KINDS[kind].measures if measure.is_required}


def test_a_record_is_its_time_and_its_fields_in_the_order_of_the_table() -> None:
    buffer = opened("model")
    model = make_recorder(RecordModel.__call__, buffer, refuse, stamp_s, refuse_time)
    model("ctr", "7", absolute_error=4.0, latency_ms=1.0, failed=True, prediction=3.0, confidence=2.0)
    assert buffer.records == [1.0, "ctr", "7", 1.0, 2.0, 3.0, 4.0, True]


def test_what_is_left_out_has_the_default_of_the_signature() -> None:
    buffer = opened("model")
    make_recorder(RecordModel.__call__, buffer, refuse, stamp_s, refuse_time)("ctr")
    assert buffer.records == [1.0, "ctr", "", None, None, None, None, None]


def test_a_label_that_is_left_out_may_be_filled_in() -> None:
    """A sample without an instance is the producer's own."""
    buffer = opened("system")
    system = make_recorder(
        RecordSystem.__call__, buffer, refuse, stamp_s, refuse_time, {"instance": lambda: "host:1:a"}
    )
    system(threads=7)
    system(instance="other", scope="host")
    width = 1 + len(FIELDS["system"])
    assert buffer.records[:3] == [1.0, "host:1:a", "process"]
    assert buffer.records[width : width + 3] == [1.0, "other", "host"]


def test_a_record_beyond_the_limit_is_turned_away() -> None:
    """The buffer's limit is followed, also one that is set later."""
    buffer, turned_away = Buffer("custom", 1), list[Record]()
    observe = make_recorder(
        RecordCustom.__call__, buffer, lambda _, record: turned_away.append(record), stamp_s, refuse_time
    )
    observe("a", 1)
    buffer.open()
    observe("b", 2, tier="warm")
    observe("c", 3)
    assert turned_away == [(1.0, "a", {}, 1), (1.0, "c", {}, 3)]
    assert buffer.records == [1.0, "b", {"tier": "warm"}, 2]


@pytest.mark.parametrize("name", ["model", "models", "system", "observe"])
def test_a_recording_function_shows_its_signature_and_its_meaning(name: str) -> None:
    """``help(producer.model)`` is as useful as an editor is."""
    with_protocol: dict[str, Any] = {
        "model": RecordModel, "models": RecordModels, "system": RecordSystem, "observe": RecordCustom,
    }  # fmt: skip
    producer = Producer("ranker", sample_process=False)
    function = getattr(producer, name)
    assert (
        list(inspect.signature(function).parameters)
        == list(inspect.signature(with_protocol[name].__call__).parameters)[1:]
    )
    assert "Record" in (inspect.getdoc(function) or "")
    producer.close(0)


@pytest.mark.parametrize("name", ["model", "models", "system"])
def test_a_measure_that_its_kind_lacks_is_a_type_error(name: str) -> None:
    """A misspelt measure is found at its first call, not by its absence in a chart."""
    producer = Producer("ranker", sample_process=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'latency'"):
        getattr(producer, name)(**({} if name == "system" else {"model": "ctr"}), latency=1.0)
    producer.close(0)


class RecordFit(Protocol):
    """A kind that only this test has."""

    def __call__(
        self, job: str, step: int = 0, *, loss: float, lr: float | None = None, at_ms: float | None = None
    ) -> None: ...


def test_a_new_kind_needs_a_signature_and_a_line_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width of its records and the function that makes them follow."""
    kind = Kind("model", ("job", "step"), (Measure("loss", is_required=True), Measure("lr")))
    monkeypatch.setitem(FIELDS, "model", (*kind.labels, *kind.measure_names))
    monkeypatch.setitem(forms.RECORD_WIDTHS, "model", 5)
    buffer = opened("model")
    fit = make_recorder(RecordFit.__call__, buffer, refuse, stamp_s, refuse_time)
    fit("night", loss=0.5)
    fit("night", 3, loss=0.25, lr=1e-3)
    assert buffer.records == [1.0, "night", 0, 0.5, None, 1.0, "night", 3, 0.25, 1e-3]
    assert len(buffer) == 2


def test_one_and_many_predictions_have_one_signature() -> None:
    assert RecordModel.__call__ is RecordModels.__call__ is ModelSignature.__call__
