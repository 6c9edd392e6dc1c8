"""An alert is acknowledged from the terminal, and whatever the console says of it is shown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.rest.fields import Fields
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

    def post(self, path: str, body: Mapping[str, object]) -> Fields:
        self.asked.append((path, body))
        if self.refusal:
            raise self.refusal
        return Fields({"id": "s1"})

    def delete(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> None:
        self.asked.append((f"DELETE {path}", dict(parameters)))


def shown(**changes: object) -> Alert:
    return next(iter(state(alerts=[alert(**changes)]).alerts.values()))


def answered(actions: Actions, act: Callable[[Alert], None], one: Alert) -> str:
    act(one)
    wait_until(lambda: "asking" not in actions.said, what="the answer")
    return actions.said


def toggled(client: FakeClient, one: Alert) -> str:
    actions = Actions(cast(ConsoleClient, client), "lena")
    return answered(actions, actions.toggle, one)


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


def test_an_alert_is_silenced_and_the_same_key_ends_that() -> None:
    """By its whole labels, however long: what the screen shows of them is cut."""
    client, long = FakeClient(), "x" * 200
    actions = Actions(cast(ConsoleClient, client), "lena")
    one = {"labels": {"route": long}, "service": "ranker"}
    said = answered(actions, actions.silence, shown(**one))
    assert said == "high-error-rate is silenced for 1 h; s again ends that."
    matchers = {"alertname": "high-error-rate", "service": "ranker", "route": long}
    assert client.asked == [
        (
            "/silences",
            {
                "matchers": [{"name": name, "value": value} for name, value in matchers.items()],
                "lasts": "1h",
                "comment": "",
                "actor": "lena",
            },
        )
    ]
    assert answered(actions, actions.silence, shown(**one, silenced_by=["s1"])) == (
        "The silence of high-error-rate is over."
    )
    assert client.asked[1] == ("DELETE /silences/s1", {"actor": "lena"})


def test_a_pushed_alert_is_silenced_by_the_name_that_it_was_pushed_under() -> None:
    client = FakeClient()
    actions = Actions(cast(ConsoleClient, client), "lena")
    answered(actions, actions.silence, shown(rule="ext/DiskFull"))
    assert cast("list[object]", client.asked[0][1]["matchers"])[0] == {"name": "alertname", "value": "DiskFull"}


def test_a_silence_of_somebody_else_is_not_ended_by_a_key() -> None:
    client = FakeClient()
    actions = Actions(cast(ConsoleClient, client), "lena")
    said = answered(actions, actions.silence, shown(silenced_by=["s7"]))
    assert said == "high-error-rate is silenced already: `barograph silence list` says by whom."
    assert client.asked == []
