"""An alert is acknowledged from the terminal, and whatever the console says of it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.top.acting import Actions
from barograph_cli.top.rows import Alert
from tests.support import wait_until
from tests.unit.cli.top.overview import alert, state


@dataclass
class FakeClient:
    """Keeps what it is asked for."""

    authorization: dict[str, str] = field(default_factory=dict[str, str])
    refusal: ConsoleError | None = None
    asked: list[tuple[str, Mapping[str, object]]] = field(default_factory=list[tuple[str, Mapping[str, object]]])

    def post(self, path: str, body: Mapping[str, object]) -> None:
        self.asked.append((path, body))
        if self.refusal:
            raise self.refusal


def shown(**changes: object) -> Alert:
    return next(iter(state(alerts=[alert(**changes)]).alerts.values()))


def toggled(client: FakeClient, one: Alert) -> str:
    actions = Actions(cast(ConsoleClient, client), "lena")
    actions.toggle(one)
    wait_until(lambda: "asking" not in actions.said, what="the answer")
    return actions.said


def test_a_firing_alert_is_acknowledged_in_the_name_of_the_user() -> None:
    client = FakeClient()
    assert toggled(client, shown()) == "You look after high-error-rate."
    assert client.asked == [(f"/alerts/{'a' * 16}/ack", {"actor": "lena"})]


def test_a_token_speaks_for_itself() -> None:
    client = FakeClient(authorization={"Authorization": "Bearer x"})
    toggled(client, shown())
    assert client.asked[0][1] == {}


def test_an_acknowledgement_is_taken_back() -> None:
    client = FakeClient()
    assert toggled(client, shown(ack={"actor": "tom"})) == "Nobody looks after high-error-rate."
    assert client.asked[0][0].endswith("/unack")


@pytest.mark.parametrize("changes", [{"state": "pending"}, {"silenced_by": ["s"]}])
def test_what_nobody_waits_for_is_not_asked(changes: dict[str, object]) -> None:
    client = FakeClient()
    assert "only a firing alert is acknowledged" in toggled(client, shown(**changes))
    assert client.asked == []


def test_a_refusal_is_shown() -> None:
    client = FakeClient(refusal=ConsoleError("The console refuses it: tom looks after it already.", ""))
    assert toggled(client, shown()) == "The console refuses it: tom looks after it already."
