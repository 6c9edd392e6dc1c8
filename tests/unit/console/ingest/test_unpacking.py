"""Bodies are unpacked within a bound, and only what is taken is."""

import gzip
import zlib

import pytest

from barograph_console.ingest.unpacking import MAX_UNPACKED_BYTES, media_type_of, unpack_body
from barograph_console.serving.problems import ApiError

GZIP = {"content-encoding": "gzip"}


def status_of(body: bytes, headers: dict[str, str]) -> int:
    with pytest.raises(ApiError) as caught:
        unpack_body(body, headers)
    return caught.value.status


def test_a_body_that_is_not_compressed_stays_as_it_is() -> None:
    assert unpack_body(b"[]", {}) == unpack_body(b"[]", {"content-encoding": "identity"}) == b"[]"


def test_gzip_is_unpacked_also_in_several_members() -> None:
    assert unpack_body(gzip.compress(b"[1,") + gzip.compress(b"2]"), {"content-encoding": "GZip"}) == b"[1,2]"


def test_a_bomb_is_stopped_at_the_bound() -> None:
    """16 kB stand for 16 MB; no more than the bound is ever held."""
    assert status_of(gzip.compress(b" " * (16 << 20), 9), GZIP) == 413
    assert status_of(gzip.compress(b" " * (3 << 20)) * 2, GZIP) == 413
    assert len(unpack_body(gzip.compress(b" " * MAX_UNPACKED_BYTES), GZIP)) == MAX_UNPACKED_BYTES


@pytest.mark.parametrize(
    "body",
    [b"[]", gzip.compress(b"[]")[:-4], gzip.compress(b"[]") + b"tail", zlib.compress(b"[]"), b"\x1f\x8b"],
    ids=["plain", "cut", "longer", "zlib", "begun"],
)
def test_what_is_no_gzip_is_told(body: bytes) -> None:
    assert status_of(body, GZIP) == 422


def test_an_empty_body_is_no_bomb() -> None:
    assert unpack_body(b"", GZIP) == b""


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_another_compression_is_refused(coding: str) -> None:
    assert status_of(b"[]", {"content-encoding": coding}) == 415


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        ('application/json;charset="utf-8"', "application/json"),
        ("text/plain", None),
        ("", None),
        ("application/json; charset=utf-16", None),
    ],
)
def test_a_media_type_is_one_that_is_taken(given: str, found: str | None) -> None:
    headers = {"content-type": given} if given else {}
    if found:
        assert media_type_of(headers, {"application/json": None}) == found
        return
    with pytest.raises(ApiError) as caught:
        media_type_of(headers, {"application/json": None})
    assert caught.value.status == 415
