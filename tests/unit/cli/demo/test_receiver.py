"""What the demo's webhook receiver makes of a body."""

import pytest
import urllib3

from barograph_cli.demo.receiver import WebhookReceiver, is_notification


@pytest.mark.parametrize(
    "raw",
    [
        b'{"version": 1, "key": "k", "status": "firing", "alert": {"id": "a1"}}',
        b'{"alerts": [{"id": "a1"}, {"id": "a2"}]}',
    ],
)
def test_an_alert_or_a_group_of_them_is_a_notification(raw: bytes) -> None:
    assert is_notification(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b"\xff", b"{}"])
def test_anything_else_is_refused(raw: bytes) -> None:
    assert not is_notification(raw)


def test_what_arrives_is_answered_and_counted() -> None:
    with WebhookReceiver() as receiver:
        bodies = (b'{"alert": {}}', b"nonsense")
        with urllib3.PoolManager(retries=False) as http:
            answers = [http.request("POST", receiver.url, body=body).status for body in bodies]
        assert (answers, receiver.received) == ([204, 400], 1)
