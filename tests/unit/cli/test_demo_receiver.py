"""What the demo's webhook receiver makes of a body."""

import pytest

from barograph_cli.demo.receiver import read_notification


def test_a_single_alert_is_read() -> None:
    body = b'{"version": 1, "key": "k", "status": "firing", "alert": {"id": "a1"}}'
    read = read_notification(body, "", 5)
    assert read is not None
    assert (read.key, read.status, read.alert_ids) == ("k", "firing", ("a1",))


def test_a_group_is_read() -> None:
    read = read_notification(b'{"alerts": [{"id": "a1"}, {"id": "a2"}]}', "k", 5)
    assert read is not None
    assert read.alert_ids == ("a1", "a2")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b"\xff"])
def test_anything_else_is_refused(raw: bytes) -> None:
    assert read_notification(raw, "", 0) is None
