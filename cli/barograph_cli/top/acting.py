"""What a person does to an alert from the terminal. Asked for in a thread, so that the screen goes on."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from barograph_cli.rest.client import ConsoleClient
from barograph_cli.rest.failure import ConsoleError
from barograph_cli.top.rows import Alert

Action = Literal["ack", "unack"]


@dataclass(slots=True)
class Actions:
    """Acknowledges alerts and takes that back. The live connection brings what came of it.

    Attributes:
        actor: Named where no token says who asks.
        said: What the last action came to; empty before the first.
    """

    client: ConsoleClient
    actor: str
    said: str = ""

    def toggle(self, alert: Alert) -> None:
        """Acknowledge a firing alert, or take its acknowledgement back."""
        if alert.standing not in ("firing", "acknowledged"):
            self.said = f"{alert.rule} is {alert.standing}: only a firing alert is acknowledged."
            return
        action: Action = "unack" if alert.standing == "acknowledged" else "ack"
        self.said = f"{alert.rule}: asking the console."
        threading.Thread(target=self._ask, args=(alert, action), name="barograph-top-action", daemon=True).start()

    def _ask(self, alert: Alert, action: Action) -> None:
        # A token has a name of its own, and the console refuses another one.
        body: Mapping[str, object] = {} if self.client.authorization else {"actor": self.actor}
        try:
            self.client.post(f"/alerts/{alert.id}/{action}", body)
        except ConsoleError as error:
            self.said = f"{error.sentence} {error.mend}".strip()
        else:
            done = "You look after" if action == "ack" else "Nobody looks after"
            self.said = f"{done} {alert.rule}."
