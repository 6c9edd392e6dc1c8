"""Judges the age of the watermark where no one else can: while no aggregator closes panes."""

from collections.abc import Sequence
from typing import Final

from barograph_alerter.conditions.row import Look
from barograph_alerter.judge.judge import Judge
from barograph_alerter.judge.verdict import EvaluationTime
from barograph_alerter.rules.rule import Rule
from barograph_alerter.windows.window import Window
from barograph_core.clock import Clock
from barograph_core.keyspace.keys import ShardKeys, self_series
from barograph_core.keyspace.layout import read_layout, self_service
from barograph_core.panes.self_values import WATERMARK_AGE, SelfValue, pane_of_values
from barograph_core.server.connection import Connection
from barograph_core.server.replies import as_int, as_now_ms

_LOOK_EVERY_MS: Final = 1_000
# Where aggregators are at work the age is that of a pane's closing. They report it themselves then.
_OLD_MS: Final = 5_000
# A server's clock that is ahead for a moment makes the watermark old for a moment. Longer than an aggregator doubts it.
_OLD_FOR_MS: Final = 20_000


class Standstill:
    """Lays the age of the watermark before the rules on ``barograph.watermark_age_ms`` each second.

    Aggregators report the same value as panes (``self_panes``), and with them it stops: every other rule would stay
    silent, and this one too. It is judged like an open pane, so it may only fire; where the aggregators' panes exist,
    they resolve it. Where they do not (``self_panes = false``), a young watermark does.
    """

    def __init__(
        self, connection: Connection, keys: ShardKeys, rules: Sequence[Rule], *, judge: Judge, clock: Clock
    ) -> None:
        self._connection = connection
        self._keys = keys
        series = self_series(WATERMARK_AGE)
        # A rule that looks at another time too asks for more than the present age.
        self._rules = [rule for rule in rules if rule.where.get("name") == series and len(rule.looks) == 1]
        self._judge = judge
        self._clock = clock
        self._next_ms = float("-inf")
        self._young_ms = clock.monotonic_ms()
        # Another alerter may have left an alert.
        self._may_have_fired = True

    def look(self) -> None:
        """Judge the age if that is due.

        Raises:
            BarographError: The server is gone or refuses.
        """
        now_ms = self._clock.monotonic_ms()
        if not self._rules or now_ms < self._next_ms:
            return
        self._next_ms = now_ms + _LOOK_EVERY_MS
        time, watermark = self._connection.pipeline([("TIME",), ("HGET", self._keys.progress, "watermark_ms")])
        if watermark is None:
            # Before the first aggregator ran there is nothing to be behind.
            return
        server_ms = as_now_ms(time)
        age_ms = max(0, server_ms - as_int(watermark))
        if age_ms <= _OLD_MS:
            self._young_ms = now_ms
        if now_ms - self._young_ms >= _OLD_FOR_MS or (age_ms <= _OLD_MS and self._may_have_fired):
            self._lay_before(age_ms, server_ms)

    def _lay_before(self, age_ms: int, server_ms: int) -> None:
        service = self_service(read_layout(self._connection, self._keys.prefix), self._keys.tag)
        rules = [rule for rule in self._rules if rule.applies_to(service)]
        has_panes = self._connection.command("HGET", self._keys.closed, service) is not None
        pane = pane_of_values([SelfValue(WATERMARK_AGE, age_ms)], server_ms, 1)

        def window_of(look: Look) -> Window:
            return Window(pane, look.span_ms)

        moment = EvaluationTime(server_ms, server_ms, is_closed=not has_panes)
        has_alerts = self._judge.judge_beside(service, rules, window_of, moment)
        self._may_have_fired = has_alerts and not has_panes
