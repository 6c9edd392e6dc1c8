"""What a person does to an alert from the terminal. Asked for in a thread, so that the screen goes on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.top.rows import Alert

Action = Literal["ack", "unack"]
_SILENCED_FOR: Final = "1h"


@dataclass(slots=True)
class Actions:
    """Acknowledges and silences alerts, and takes that back. The live connection brings what came of it.

    Attributes:
        actor: Named where no token says who asks.
        said: What the last action came to; empty before the first.
    """

    client: ConsoleClient
    actor: str
    said: str = ""
    # By alert: the silences that were made here. Those of other people are not ended by one key.
    _made: dict[str, str] = field(default_factory=dict[str, str])

    def toggle(self, alert: Alert) -> None:
        """Acknowledge a firing alert, or take its acknowledgement back."""
        if alert.standing not in ("firing", "acknowledged"):
            self.said = f"{alert.rule} is {alert.standing}: only a firing alert is acknowledged."
            return
        action: Action = "unack" if alert.standing == "acknowledged" else "ack"
        self.said = f"{alert.rule}: asking the console."
        threading.Thread(target=self._ask, args=(alert, action), name="barograph-top-action", daemon=True).start()

    def silence(self, alert: Alert) -> None:
        """Silence exactly this alert for an hour, or end the silence that was made here."""
        if alert.standing == "silenced" and alert.id not in self._made:
            self.said = f"{alert.rule} is silenced already: `barograph silence list` says by whom."
            return
        self.said = f"{alert.rule}: asking the console."
        act = self._end_silence if alert.standing == "silenced" else self._add_silence
        threading.Thread(target=self._try, args=(act, alert), name="barograph-top-action", daemon=True).start()

    def _try(self, act: Callable[[Alert], str], alert: Alert) -> None:
        try:
            self.said = act(alert)
        except ConsoleError as error:
            self.said = f"{error.sentence} {error.mend}".strip()

    def _add_silence(self, alert: Alert) -> str:
        matchers = [{"name": name, "value": value} for name, value in alert.matched.items()]
        body = {"matchers": matchers, "lasts": _SILENCED_FOR, "comment": "", **self._who()}
        self._made[alert.id] = self.client.post("/silences", body).text("id")
        return f"{alert.rule} is silenced for 1 h; s again ends that."

    def _end_silence(self, alert: Alert) -> str:
        self.client.delete(f"/silences/{self._made[alert.id]}", list(self._who().items()))
        del self._made[alert.id]
        return f"The silence of {alert.rule} is over."

    def _who(self) -> dict[str, str]:
        # A token has a name of its own, and the console refuses another one.
        return {} if self.client.authorization else {"actor": self.actor}

    def _ask(self, alert: Alert, action: Action) -> None:
        def ask(alert: Alert) -> str:
            self.client.post(f"/alerts/{alert.id}/{action}", self._who())
            return f"{'You look after' if action == 'ack' else 'Nobody looks after'} {alert.rule}."

        self._try(ask, alert)
