"""The API of the demo and its load, as child processes, and the switch that rolls a version out."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, cast

import urllib3

from barograph_cli.demo.api.rollout import Rollout
from barograph_cli.local.supervisor import ChildSpec

SERVICE_CHILD: Final = "service"
LOAD_CHILD: Final = "load"
# Routes that the load requests. Requests of the rollout switch and the readiness probe are not compared.
LOADED_ROUTES: Final = frozenset({"/predict", "/feedback", "/meters/{meter_id}"})
_TIMEOUT_S: Final = 3.0


def service_spec(log_dir: Path, environ: Mapping[str, str], host: str, port: int) -> ChildSpec:
    """Return the process of the API."""
    log_dir.mkdir(parents=True, exist_ok=True)
    prefix = environ.get("BAROGRAPH_PREFIX")
    flags = ("--host", host, "--port", str(port), *(("--prefix", prefix) if prefix else ()))
    return ChildSpec(SERVICE_CHILD, "barograph_cli.demo.api.service", flags, log_dir / "service.log", environ)


def load_spec(log_dir: Path, port: int, ledger: Path | None) -> ChildSpec:
    """Return the process of the load, which counts into ``ledger`` at its end."""
    flags = ("--port", str(port), *(("--ledger", str(ledger)) if ledger is not None else ()))
    return ChildSpec(LOAD_CHILD, "barograph_cli.demo.api.load", flags, log_dir / "load.log")


def read_answered(ledger: Path) -> int | None:
    """Return how many requests to the loaded routes were answered, ``None`` when the load left no ledger."""
    try:
        document = cast("dict[str, list[dict[str, object]]]", json.loads(ledger.read_text(encoding="utf-8")))
        rows = document["rows"]
        return sum(int(str(row["n"])) for row in rows if row["route"] in LOADED_ROUTES)
    except (OSError, ValueError, KeyError, TypeError):
        return None


class RolloutSwitch:
    """Sets the rollout of the API through its own endpoint."""

    def __init__(self, service_url: str) -> None:
        self._url = f"{service_url}/rollout"
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(total=_TIMEOUT_S), retries=False)

    def set(self, rollout: Rollout) -> bool:
        """Replace the rollout and return whether the API took it."""
        body = json.dumps(asdict(rollout)).encode()
        try:
            response = self._http.request("PUT", self._url, body=body, headers={"Content-Type": "application/json"})
        except urllib3.exceptions.HTTPError:
            return False
        return response.status == 200
