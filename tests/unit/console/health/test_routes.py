import json

from barograph_console.store.ports import ReadinessProblem
from barograph_core.errors import StreamUnavailableError
from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.document import shard_document
from barograph_core.pipeline.status import (
    ConsumerStatus,
    GroupStatus,
    PipelineStatus,
    ProducerStatus,
    StreamStatus,
    WorkerStatus,
)
from barograph_core.server.replies import EntryId
from barograph_core.store.usage import StepUsage, StoreUsage
from tests.unit.console.fakes import NOW_MS, Console, FakeHealth, FakePanes, FakePipeline


def test_a_live_console_says_so() -> None:
    assert Console().client().get("/livez").json() == {"status": "alive"}


def test_a_ready_console_says_so() -> None:
    answer = Console().client().get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": []})


def test_readiness_tells_refusing_from_gone() -> None:
    """A full server and a dead one are different troubles."""
    found: list[tuple[int, str, str]] = []
    for problem in (ReadinessProblem("gone", "unreachable"), ReadinessProblem("refuses", "out_of_memory")):
        answer = Console(health=FakeHealth([problem])).client().get("/readyz")
        reason = answer.json()["reasons"][0]
        found.append((answer.status_code, reason["kind"], reason["reason"]))
    assert found == [(503, "gone", "unreachable"), (503, "refuses", "out_of_memory")]


def test_a_store_that_is_gone_is_a_503_that_says_when_to_come_back() -> None:
    """Never a traceback, and nothing of the server's address."""
    panes = FakePanes(error=StreamUnavailableError("unreachable", "connecting to secret-host:6379"))
    answer = Console(panes=panes).client().get("/api/v1/services")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "unreachable"
    assert "secret-host" not in answer.text


def test_unknown_paths_and_methods_answer_in_the_same_shape() -> None:
    client = Console().client()
    errors = [client.get("/nowhere").json(), client.delete("/api/v1/alerts").json()]
    assert [(error["status"], error["code"]) for error in errors] == [(404, "not_found"), (405, "method_not_allowed")]


def test_the_index_leads_to_everything_that_takes_no_parameter() -> None:
    """Each link without a placeholder answers."""
    client = Console().client()
    links: dict[str, str] = client.get("/").json()["links"]
    statuses = {name: client.get(link).status_code for name, link in links.items() if "{" not in link}
    assert set(statuses.values()) == {200}


def test_the_description_of_the_api_knows_every_route_and_error() -> None:
    """OpenAPI lists the routes, their errors in our shape, and the bearer token."""
    document = Console().client().get("/api/v1/openapi.json").json()
    query = document["paths"]["/api/v1/query"]["get"]
    assert query["responses"]["422"]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
    assert query["security"] == [{"HTTPBearer": []}]
    assert "from" in document["components"]["schemas"]["HistoryEntry"]["properties"]


GROUP = GroupStatus("aggregator", EntryId(5, 1), 3, False, 2, EntryId(4, 0), 1_200, (ConsumerStatus("h:1:aa", 2, 30),))
STREAM = StreamStatus("events", "baro:{0}:events", 7, 9, EntryId(1, 0), EntryId(9, 0), (GROUP,), 4_096)
ACCOUNT = EventsAccount(100, 60, 1, 9, 10, 20, 7, 450, is_counted=True, last_id=EntryId(9, 0))
STORE = StoreUsage((StepUsage(1_000, 5_000, 2, 4, 9_000, 77),), 10_000)


def test_the_pipeline_shows_backlogs_with_ids_as_text() -> None:
    status = PipelineStatus(NOW_MS, (STREAM,), NOW_MS - 700, {}, (), ())
    answer = Console(pipeline=FakePipeline([status])).client().get("/api/v1/pipeline").json()["shards"][0]
    row = answer["streams"][0]["groups"][0]
    assert (row["last_delivered_id"], row["unread"], row["oldest_pending_id"]) == ("5-1", 3, "4-0")
    assert answer["watermark_age_ms"] == 700


def test_the_pipeline_shows_the_books_and_the_store() -> None:
    """What was lost, and from when on everything is kept, can be seen on the console too."""
    status = PipelineStatus(NOW_MS, (), None, {}, (), (), ACCOUNT, STORE)
    answer = Console(pipeline=FakePipeline([status])).client().get("/api/v1/pipeline").json()["shards"][0]
    assert (answer["account"]["lost"], answer["account"]["lost_events"], answer["account"]["surplus"]) == (9, 450, 0)
    assert (answer["store"]["bytes"], answer["store"]["steps"][0]["kept_from_ms"]) == (5_000, 77)


def test_the_console_and_the_command_show_one_document() -> None:
    """Nothing of what core says is left out or called otherwise, and the description of the API knows all of it."""
    worker = WorkerStatus("aggregator", "h:1:aa", 100, True, {"events": "5"})
    producer = ProducerStatus("ranker", "h:2:bb", NOW_MS, 0, 7, {"overflow": 3}, {"request.route": 2}, False, False)
    full = PipelineStatus(
        NOW_MS, (STREAM,), NOW_MS - 700, {"ranker": NOW_MS}, (worker,), (producer,), ACCOUNT, STORE, "5", 4
    )
    empty = PipelineStatus(NOW_MS, (), None, {}, (), ())
    answer = Console(pipeline=FakePipeline([full, empty])).client().get("/api/v1/pipeline").json()
    assert answer == json.loads(json.dumps({"shards": [shard_document(full), shard_document(empty)]}))


def test_a_refused_configuration_is_in_the_summary() -> None:
    """The page says it; a worker that is gone refuses nothing any more."""
    facts = {"config_problem": "barograph.toml:7: rule[1].when: unknown"}
    gone = WorkerStatus("alerter", "h:1:aa", 60_000, False, {"config_problem": "old"})
    fine, refusing = WorkerStatus("alerter", "h:2:bb", 5, True, {}), WorkerStatus("alerter", "h:3:cc", 5, True, facts)

    def said(*workers: WorkerStatus) -> str:
        status = PipelineStatus(NOW_MS, (), NOW_MS, {}, workers, ())
        console = Console(pipeline=FakePipeline([status])).client()
        text: str = console.get("/api/v1/pipeline/summary").json()["config_problem"]
        return text

    assert said(gone, fine) == ""
    assert said(gone, fine, refusing) == facts["config_problem"]
