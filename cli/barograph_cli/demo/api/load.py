"""The load on the demo's service: requests arrive at random moments, about a hundred a second, whatever it answers.

Arrivals do not wait for answers, as those of real callers do not: a slow service gets no fewer requests. What is
under way at once is bounded; an arrival past the bound is counted and left out.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

from barograph_cli.demo.api.flows import Reading, live_hours, read_flows
from barograph_cli.demo.api.http_client import HttpClient

PREDICTIONS_PER_S: Final = 42.0
READINGS_PER_S: Final = 12.0
HEALTH_CHECKS_PER_S: Final = 2.0
MAX_UNDER_WAY: Final = 256
METERS: Final = ("north", "east", "south", "west")
_FINISH_S: Final = 5.0
# The truth about a forecast is known an hour later; an hour of the demo passes in about half a second.
_TRUTH_AFTER_S: Final = (0.2, 0.9)

Caller = Callable[[], Coroutine[object, object, None]]


class Ledger:
    """Counts the answers by path template and status, to compare them with what the pipeline counts."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, int]] = Counter()
        self.left_out = 0
        self.broken = 0

    def as_json(self) -> str:
        """Return the ledger as one JSON object."""
        rows = [{"route": route, "status": status, "n": n} for (route, status), n in sorted(self.answered.items())]
        total = sum(self.answered.values())
        return json.dumps({"answered": total, "left_out": self.left_out, "broken": self.broken, "rows": rows})


class Load:
    """The callers of the service."""

    def __init__(self, client: HttpClient, readings: tuple[Reading, ...], seed: int) -> None:
        self.ledger = Ledger()
        self._client = client
        self._readings = readings
        self._hours = live_hours(readings)
        self._random = random.Random(seed)  # noqa: S311  # arrival times of a demo
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send requests until ``stop`` is set, then wait for what is under way."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._arrive(PREDICTIONS_PER_S, stop, self._predict))
            group.create_task(self._arrive(READINGS_PER_S, stop, self._read_meter))
            group.create_task(self._arrive(HEALTH_CHECKS_PER_S, stop, self._check_health))
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_FINISH_S)
        await self._client.close()

    async def _arrive(self, per_s: float, stop: asyncio.Event, caller: Caller) -> None:
        """Let one kind of caller arrive as a Poisson process of ``per_s``."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._random.expovariate(per_s))
            if stop.is_set():
                return
            if len(self._under_way) >= MAX_UNDER_WAY:
                self.ledger.left_out += 1
                continue
            task = asyncio.create_task(caller())
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _predict(self) -> None:
        hour = self._random.choice(self._hours)
        body = await self._send("POST", "/predict", "/predict", {"meter_id": self._pick_meter(), "hour": hour})
        if "prediction_id" not in body:
            return
        await asyncio.sleep(self._random.uniform(*_TRUTH_AFTER_S))
        truth = {"prediction_id": body["prediction_id"], "flow_l_s": self._readings[hour].flow_l_s}
        await self._send("POST", "/feedback", "/feedback", truth)

    async def _read_meter(self) -> None:
        await self._send("GET", f"/meters/{self._pick_meter()}", "/meters/{meter_id}")

    async def _check_health(self) -> None:
        await self._send("GET", "/health", "/health")

    def _pick_meter(self) -> str:
        return self._random.choice(METERS)

    async def _send(self, method: str, path: str, route: str, body: object = None) -> dict[str, object]:
        try:
            answer = await self._client.request(method, path, body)
        except (OSError, ValueError):
            self.ledger.broken += 1
            return {}
        self.ledger.answered[route, answer.status] += 1
        return answer.body if answer.status < 400 else {}


async def _serve(host: str, port: int, ledger: Path | None, seed: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    load = Load(HttpClient(host, port), read_flows(), seed)
    await load.run(stop)
    if ledger is not None:
        ledger.write_text(load.ledger.as_json() + "\n", encoding="utf-8")


def main(argv: list[str]) -> int:
    """Send requests to the demo's service on this machine until stopped by a signal."""
    parser = argparse.ArgumentParser(prog="barograph_cli.demo.api.load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, help="where to write what was sent, at the end")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    # Only this machine: a load generator that takes any address could attack others.
    asyncio.run(_serve("127.0.0.1", arguments.port, arguments.ledger, arguments.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
