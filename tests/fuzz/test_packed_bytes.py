"""Batches, panes and documents of any bytes: refused in one kind of error, or within all bounds."""

from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_core.access.session import Session
from barograph_core.access.token import Token
from barograph_core.alerts.published_rules import PublishedRules
from barograph_core.alerts.record import AlertRecord
from barograph_core.alerts.transition import Transition
from barograph_core.decode.batch import decode_batch
from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS, MAX_EVENTS_PER_BATCH
from barograph_core.panes.outline import read_outline
from barograph_core.panes.pane import Pane
from barograph_core.server.replies import Entry, EntryId
from barograph_core.silences.silence import Silence
from barograph_core.store.blocks import parse_series_name
from barograph_notifier.outbox.queue_plan import DeliveryMemory, Item
from tests.batches import custom, decoded, entry, model, request, with_fields
from tests.fuzz.by_hand import target_of
from tests.fuzz.effort import effort

BATCH: Final = entry("request", [request(1_000, route="/a"), request(1_007, route="/b", status=500)])
BLOCKS: Final = [
    decoded("request", [request(route="/a"), request(route="/b", status=500)]).block,
    decoded("model", [model(1.0)]).block,
    decoded("custom", [custom(1.5, queue="mail"), custom(None)]).block,
]
PANE: Final = next(iter(Pane.of_blocks(BLOCKS, 10_000).values())).pack()
quick: Final = effort(50)


def edited(original: bytes) -> st.SearchStrategy[bytes]:
    """Return what is left of ``original`` after some pieces of it were replaced by any bytes."""
    places = st.integers(0, len(original))
    edits = st.lists(st.tuples(places, places, st.binary(max_size=9)), min_size=1, max_size=4)

    def apply(pieces: list[tuple[int, int, bytes]]) -> bytes:
        data = original
        for begin, end, content in pieces:
            data = data[:begin] + content + data[max(begin, min(end, begin + len(content) + 2)) :]
        return data

    return edits.map(apply) | st.binary(max_size=200)


@quick
@given(edited(BATCH[b"data"]))
def test_any_data_of_a_batch_is_decoded_or_refused(data: bytes) -> None:
    """One dead letter for each bad entry, and nothing that only a later stage finds."""
    try:
        batch = decode_batch(with_fields(BATCH, data=data))
    except MalformedEventError:
        return
    assert 1 <= batch.n <= MAX_EVENTS_PER_BATCH
    (pane,) = Pane.of_blocks([batch.block], 2**50).values()
    assert Pane.unpack(pane.pack()).pack() == pane.pack()


@quick
@given(edited(PANE))
def test_any_bytes_of_a_pane_are_unpacked_or_refused(data: bytes) -> None:
    """A pane that passes can be merged, grouped and packed again."""
    try:
        pane = Pane.unpack(data)
    except MalformedEventError:
        return
    again = Pane.unpack(Pane.merge([pane, pane]).pack())
    assert again.requests == 2 * pane.requests
    for kind in KINDS.values():
        pane.group(kind.name, kind.labels)


@quick
@given(edited(PANE), st.sampled_from(sorted(KINDS)))
def test_any_bytes_of_a_pane_give_an_outline_or_are_refused(data: bytes, kind: str) -> None:
    """Charts read panes without unpacking them: they refuse what is none, too."""
    try:
        read_outline([PANE, data], KINDS[kind], 0)
    except MalformedEventError:
        return


JSON: Final = st.recursive(
    st.sampled_from(("null", "true", "1", "-1", "1e999", "NaN", '"a"', '"\\ud800"', "9" * 5_000, '"1-1"', '"firing"')),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(
            st.sampled_from(
                ("labels", "state", "severity", "rules", "entry", "attempt", "matchers", "role", "finished")
            ),
            inner,
            max_size=4,
        ).map(lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}")
    ),
    max_leaves=12,
)
READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "alert record": AlertRecord.from_json,
    "published rules": PublishedRules.from_json,
    "silence": Silence.from_json,
    "session": Session.from_json,
    "token": lambda text: Token.from_json("id", text),
    "queued item": lambda text: Item.from_json(EntryId(1, 0), text),
    "delivery memory": DeliveryMemory.from_json,
    "series name": parse_series_name,
}


@pytest.mark.parametrize("name", READERS)
@quick
@given(text=JSON.map(str.encode) | st.binary(max_size=60) | st.just(b"[" * 100_000))
def test_any_text_is_a_document_or_refused(name: str, text: bytes) -> None:
    """Somebody with redis-cli, or a version of another year, may have written it."""
    try:
        READERS[name](text)
    except MalformedEventError:
        return


@quick
@given(
    st.dictionaries(
        st.sampled_from((b"transition", b"labels", b"at_ms", b"value", b"to", b"x")), st.binary(max_size=30)
    )
)
def test_any_entry_of_the_alerts_stream_is_a_transition_or_refused(fields: dict[bytes, bytes]) -> None:
    """A notifier dead-letters it, a console leaves it out."""
    try:
        Transition.from_fields(Entry(EntryId(1, 0), fields).fields)
    except MalformedEventError:
        return


def test_a_fuzzer_of_bytes_can_drive_these_tests() -> None:
    """``by_hand`` gives them to atheris: hypothesis reads its bytes as what it would draw."""
    drive = target_of("test_packed_bytes:test_any_bytes_of_a_pane_are_unpacked_or_refused")
    for content in (b"", b"\x00" * 40, bytes(range(200))):
        drive(content)
    with pytest.raises(ValueError, match="'test_packed_bytes:nothing' is no MODULE:TEST"):
        target_of("test_packed_bytes:nothing")
