"""``barograph demo --service-only``: the API and its load alone, for a pipeline that runs elsewhere."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from barograph_cli.demo.api.rollout import faulty_rollout
from barograph_cli.demo.processes import SERVICE_CHILD, load_spec, service_spec
from barograph_cli.failure import DONE
from barograph_cli.local.ports import free_port
from barograph_cli.local.stages import Readiness, local_url
from barograph_cli.local.supervisor import Supervisor
from barograph_core.clock import SystemClock
from barograph_core.settings.secrets import hide_password
from barograph_core.settings.server import DEFAULT_URL
from barograph_core.workers.process import stop_on_signals

_CHECK_EVERY_S: Final = 0.25


def run_service_only(host: str, port: int, environ: Mapping[str, str]) -> int:
    """Run the API on ``host`` and ``port``, and the load on it, until a signal."""
    clock, stop = SystemClock(), stop_on_signals()
    port = port or free_port()
    url = local_url(host, port)
    with tempfile.TemporaryDirectory(prefix="barograph-demo-") as directory:
        logs = Path(directory)
        supervisor = Supervisor(clock, _say, _say)
        try:
            service = supervisor.start([service_spec(logs, environ, host, port)])
            if not Readiness(supervisor, clock, stop).wait(service, {SERVICE_CHILD: f"{url}/health"}):
                return DONE
            supervisor.start([load_spec(logs, port, None)])
            server = hide_password(environ.get("BAROGRAPH_URL") or DEFAULT_URL)
            _say(f"barograph demo service ready: {url}/docs   server {server}")
            rollout = json.dumps(asdict(faulty_rollout("2")))
            _say(f"an incident: curl -X PUT {url}/rollout -H 'Content-Type: application/json' -d '{rollout}'")
            while not stop.wait(_CHECK_EVERY_S):
                supervisor.check()
        finally:
            supervisor.stop()
    return DONE


def _say(text: str) -> None:
    print(text, flush=True)
