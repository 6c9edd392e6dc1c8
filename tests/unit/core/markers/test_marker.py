"""A marker: what can be meant, and how it is written."""

from dataclasses import replace

import pytest

from barograph_core.errors import MalformedEventError
from barograph_core.markers.marker import KEPT_MS, MOST_AHEAD_MS, Marker, MarkerError

NOW_MS = 1_700_000_000_000
MARKER = Marker(
    key="ci:17",
    service="ranker",
    at_ms=NOW_MS,
    kind="deploy",
    title="api 2.15",
    url="https://ci.example/17",
    actor="ci",
)


def test_it_reads_back_from_both_of_its_forms() -> None:
    assert Marker.from_json(MARKER.to_json()) == MARKER
    fields = MARKER.to_fields()
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    assert pairs["kind"] == "marker"
    assert Marker.from_fields({name.encode(): text.encode() for name, text in pairs.items()}) == MARKER


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": 1, "at_ms": "soon"}', '{"at_ms": null}'])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedEventError):
        Marker.from_json(text)


def test_an_entry_that_lacks_a_field_is_refused_with_its_fields() -> None:
    with pytest.raises(MalformedEventError, match="marker"):
        Marker.from_fields({b"kind": b"marker", b"title": b"x"})


def test_sent_again_it_is_the_same_whenever_that_is() -> None:
    assert MARKER.is_repeated_by(replace(MARKER, at_ms=NOW_MS + 5, actor="other"))
    assert not MARKER.is_repeated_by(replace(MARKER, title="api 2.16"))


@pytest.mark.parametrize("at_ms", [NOW_MS - KEPT_MS, NOW_MS + MOST_AHEAD_MS])
def test_what_can_be_meant_passes(at_ms: int) -> None:
    replace(MARKER, at_ms=at_ms, kind="db-migration_2", url="").check(NOW_MS)


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("kind", {"kind": "Deploy"}),
        ("kind", {"kind": ""}),
        ("kind", {"kind": "a" * 33}),
        ("kind", {"kind": "release"}),
        ("title", {"title": ""}),
        ("title", {"title": "  "}),
        ("title", {"title": "a\nb"}),
        ("title", {"title": "x" * 201}),
        ("key", {"key": "\x1b[2J"}),
        ("url", {"url": "javascript:alert(1)"}),
        ("url", {"url": "https://" + "x" * 1_000}),
        ("at", {"at_ms": NOW_MS - KEPT_MS - 1}),
        ("at", {"at_ms": NOW_MS + MOST_AHEAD_MS + 1}),
        ("actor", {"actor": "x" * 129}),
    ],
)
def test_what_nobody_can_mean_is_refused_with_the_part_that_is_wrong(where: str, changes: dict[str, object]) -> None:
    with pytest.raises(MarkerError) as caught:
        replace(MARKER, **changes).check(NOW_MS)  # type: ignore[arg-type]  # test data by name
    assert caught.value.where == where
