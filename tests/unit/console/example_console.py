"""The console whose answers are the examples of the API's description.

After a change of an answer, ``python -m tests.unit.console.example_console`` writes the examples again.
"""

import json
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import barograph_console
from barograph_console.store.ports import AlertEntry
from barograph_core.alerts.acknowledgement import Acknowledgement
from barograph_core.alerts.by_hand import acknowledge
from barograph_core.alerts.published_rules import Bound, PublishedRule, PublishedRules, PublishedSlo, PublishedWindows
from barograph_core.alerts.record import AlertState, Severity
from barograph_core.alerts.transition import transition_of
from barograph_core.markers.marker import Marker
from barograph_core.pipeline.channel_tests import TriedMessage
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.deliveries import Delivery
from barograph_core.pipeline.status import PipelineStatus, ServiceProducers, WorkerStatus
from barograph_core.server.replies import EntryId
from barograph_core.silences.silence import Silence, parse_matchers
from barograph_core.store.pane_store import StoredPane
from tests.batches import Event, custom, decoded, panes_by_start, request
from tests.support import FakeClock
from tests.unit.console.fakes import (
    NOW_MS,
    Console,
    FakeAlerts,
    FakeChannels,
    FakeMarkers,
    FakePanes,
    FakePipeline,
    FakeRules,
    FakeSilences,
    record,
)

FOLDER: Final = Path(barograph_console.__file__).parent / "serving" / "examples"
MINUTE: Final = 60_000
_START: Final = NOW_MS - MINUTE
_RULE: Final = PublishedRule(
    name="high-error-rate",
    on="request",
    severity=Severity.CRITICAL,
    window_ms=10_000,
    when="error_rate > 0.05 and count >= 20",
    resolve_when="error_rate < 0.03",
    keep_firing_for_ms=5_000,
    cooldown_ms=300_000,
    summary="{{ error_rate | percent }} of {{ count }} requests to {{ service }} failed in {{ window }}",
    fires=(Bound("error_rate", ">", 0.05, "ratio", is_leading=True), Bound("count", ">=", 20.0)),
    clears=(Bound("error_rate", "<", 0.03, "ratio", is_leading=True),),
)
_DEPLOY: Final = Marker(
    key="deploy-16",
    service="ranker",
    at_ms=_START - MINUTE,
    kind="deploy",
    title="api 2.14.1",
    url="https://ci.example/runs/16",
    actor="ci",
)
_SLO: Final = PublishedRule(
    name="predict-speed",
    on="request",
    severity=Severity.WARNING,
    window_ms=300_000,
    when='over("1h").share["duration_ms >= 200"] > 0.6 and share["duration_ms >= 200"] > 0.6',
    services=("ranker",),
    cooldown_ms=300_000,
    summary="{{ service }} burns its budget {{ burn_rate | rounded(1) }} times as fast as allowed: {{ budget }}",
    slo=PublishedSlo(
        good="duration_ms < 200",
        objective=0.9,
        period_ms=86_400_000,
        min_events=5,
        windows=(PublishedWindows(Severity.WARNING, 6.0, 3_600_000, 300_000),),
    ),
)
_CHANNEL: Final = ChannelStatus(
    name="slack",
    alerts=0,
    waiting=0,
    is_capped=False,
    oldest_ms=0,
    deliveries={"sent": 41, "retry": 2, "held": 0, "dead": 0, "suppressed": 3},
)
_SUMMARY: Final = "13 % of the requests to /predict fail"


def example_console() -> Console:
    """Return a console over a service in an incident: version 8 of its model fails."""
    batches = [
        decoded("request", [*(request(NOW_MS - 4_000 + n, 12.0, "/predict") for n in range(6)), _failed("/predict")]),
        decoded("model", [_prediction("7", 0.9), _prediction("8", 0.6)]),
        decoded("system", [_process()]),
        decoded("custom", [custom(3.0, NOW_MS - 3_000)]),
    ]
    stored = {
        step_ms: [StoredPane(start, 0, 0, pane) for start, pane in panes_by_start(batches, step_ms).items()]
        for step_ms in (1_000, 10_000, MINUTE, 60 * MINUTE)
    }
    ack = Acknowledgement(actor="mira", at_ms=_START + 30_000, note="rolling back version 8")
    held = record(summary=_SUMMARY, episode_ms=_START, ack=ack)
    entries = [
        _entry(AlertState.INACTIVE, AlertState.PENDING, _START),
        _entry(AlertState.PENDING, AlertState.FIRING, _START + 10_000),
        AlertEntry(EntryId(ack.at_ms, 0), acknowledge(held, ack)[1]),
    ]
    sent = Delivery(
        EntryId(_START + 10_212, 0), entries[1].transition.transition, "slack", 1, "sent", "", _START + 10_212
    )
    worker = WorkerStatus("aggregator", "host:1:aa", 100, True, {"events": "5"})
    clock, alerts = FakeClock(NOW_MS), FakeAlerts(held=[held], entries=entries, sent=[sent])
    silences = FakeSilences(clock, alerts)
    silences.lay(
        Silence(
            silence_id="5f0c2a5e-7f0b-4a51-9d0c-1d2f6f1e9a77",
            matchers=parse_matchers(["alertname=high-error-rate", "route=~/pre.*"]),
            starts_ms=NOW_MS - 10_000,
            ends_ms=NOW_MS + 60 * MINUTE,
            actor="mira",
            comment="rolling back version 8",
            changed_ms=NOW_MS - 10_000,
        )
    )
    return Console(
        silences=silences,
        channels=FakeChannels(
            [TriedMessage("firing", "sent", "http 200", 84), TriedMessage("resolved", "sent", "http 200", 61)]
        ),
        markers=FakeMarkers({_DEPLOY.key: _DEPLOY}),
        panes=FakePanes(stored=stored),
        alerts=alerts,
        clock=clock,
        rules=FakeRules(PublishedRules.of([_RULE, _SLO], _START - MINUTE)),
        pipeline=FakePipeline(
            [PipelineStatus(NOW_MS, (), NOW_MS - 700, {"ranker": NOW_MS}, (worker,), (), channels=(_CHANNEL,))],
            {"ranker": ServiceProducers((NOW_MS + 500,), no_data_ms=MINUTE)},
        ),
    )


def _failed(route: str) -> Event:
    return request(NOW_MS - 2_000, 250.0, route, 500)


def _prediction(version: str, confidence: float) -> Event:
    return Event(("ctr", version), NOW_MS - 3_000, (8.0, confidence, 0.4, 0.1, 0.0))


def _process() -> Event:
    return Event(
        ("api-3", "process"), NOW_MS - 3_000, (868.0, 71.0, None, None, 12.0, 40.0, None, None, None, None, None, 3.0)
    )


def _entry(before: AlertState, after: AlertState, at_ms: int) -> AlertEntry:
    moved = record(state=after, episode_ms=_START, number=at_ms % 1_000, summary=_SUMMARY)
    return AlertEntry(EntryId(at_ms, 0), transition_of(moved, before=before, at_ms=at_ms, notify=True, actor=""))


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return path, method and operation of everything that a description knows."""
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "delete")
    ]


def ask(path: str, method: str, example: dict[str, Any]) -> tuple[int, Any]:
    """Return status and body of what a fresh console answers to an example."""
    parameters = dict(example.get("parameters", {}))
    for name in [name for name in parameters if f"{{{name}}}" in path]:
        path = path.replace(f"{{{name}}}", str(parameters.pop(name)))
    client = example_console().client()
    answer = client.request(
        method.upper(), path, params=parameters, json=example.get("body"), headers=example.get("headers")
    )
    text = answer.text.replace(metadata.version("barograph"), "0.1.0")
    is_json = answer.headers.get("content-type", "") == "application/json"
    return answer.status_code, json.loads(text) if is_json else text


def main() -> None:
    for path, method, operation in operations(Console().client().get("/api/v1/openapi.json").json()):
        file = FOLDER / f"{operation['operationId']}.json"
        example: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
        if "200" in operation["responses"]:
            example["answer"] = ask(path, method, example)[1]
            file.write_text(json.dumps(example, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
