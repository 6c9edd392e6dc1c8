"""A client as the page is one: it folds messages into a state, and notices what is missing."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Follower:
    """Keeps the points it was sent; a tick sets one, a snapshot replaces all.

    Attributes:
        gaps: How often a message did not continue the one before.
        resets: Reasons why the state was given anew.
    """

    epoch: str = ""
    seq: int | None = None
    points: dict[str, int] = field(default_factory=dict[str, int])
    gaps: int = 0
    resets: list[str] = field(default_factory=list[str])
    kinds: list[str] = field(default_factory=list[str])

    def take(self, text: str) -> None:
        message: dict[str, Any] = json.loads(text)
        kind, seq = message["type"], message["seq"]
        self.kinds.append(kind)
        if kind == "snapshot":
            self.seq, self.points = seq, dict(message["state"])
        elif kind == "reset":
            self.resets.append(message["reason"])
            self.seq = seq
        elif self.seq is None or seq != self.seq + 1:
            self.gaps += 1
        else:
            self.seq = seq
            self.points[message["key"]] = message["value"]
