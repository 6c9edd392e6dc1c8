"""What programs read about the pipeline: the names are a promise."""

import json

from barograph_core.pipeline.account import EventsAccount
from barograph_core.pipeline.channels import ChannelStatus
from barograph_core.pipeline.closing import StuckClosing
from barograph_core.pipeline.document import shard_document
from barograph_core.pipeline.probing.beats import Beat
from barograph_core.pipeline.services import ServiceTotals
from barograph_core.pipeline.status import (
    ConsumerStatus,
    GroupStatus,
    PipelineStatus,
    StreamStatus,
    WorkerStatus,
    parse_producer,
)
from barograph_core.server.memory import ServerMemory
from barograph_core.server.replies import EntryId
from barograph_core.store.usage import StepUsage, StoreUsage


def test_the_document_names_every_figure_with_its_unit_and_ids_as_text() -> None:
    group = GroupStatus("aggregator", EntryId(5, 1), 3, True, 2, None, 1_200, (ConsumerStatus("h:1:aa", 2, 30),))
    status = PipelineStatus(
        at_ms=10_000,
        streams=(StreamStatus("dead", "baro:{5}:dead", 7, 9, EntryId(1, 0), None, (group,), 4_096),),
        watermark_ms=9_300,
        closed={"ranker": 9_000},
        workers=(WorkerStatus("aggregator", "h:1:aa", 100, True, {"events": "5"}),),
        producers=(
            parse_producer(
                "ranker", "h:2:bb", 9_990, b'{"sent": 7}', at_ms=10_000, closed_ms=9_000, no_data_ms=300_000
            ),
        ),
        account=EventsAccount(
            100, 60, 1, 9, 10, 20, 7, 450, is_counted=True, last_id=EntryId(9, 0), dead_counted=1, dead_events=250
        ),
        store=StoreUsage((StepUsage(1_000, 5_000, 2, 4, 9_000, 77),), 10_000),
        shard="5",
        open_panes=3,
        server_memory=ServerMemory("volatile-lru", 9_000, 7_000),
        services=(ServiceTotals("ranker", {"buffer_full": 4}, 3, 2, 1, 0, 5),),
        channels=(ChannelStatus("hook", 2, 3, False, 1_500, {"sent": 7, "retry": 1, "dead": 0, "suppressed": 2}),),
        stuck=(StuckClosing("ranker", 1_000, 8_000, 45_000, 2, "foreign data"),),
        heartbeats=(Beat(name="watch", every_ms=60_000, sent_ms=4_000, sent=3, tried_ms=9_000, problem="no alerter"),),
    )
    assert json.loads(json.dumps(shard_document(status))) == {
        "shard": "5",
        "at_ms": 10_000,
        "watermark_ms": 9_300,
        "watermark_age_ms": 700,
        "ids_ahead_ms": 0,
        "open_panes": 3,
        "server_memory": {"policy": "volatile-lru", "bound_bytes": 9_000, "used_bytes": 7_000, "can_evict": True},
        "dead_letters": 7,
        "closed_through_ms": {"ranker": 9_000},
        "stuck": [
            {
                "service": "ranker",
                "step_ms": 1_000,
                "start_ms": 8_000,
                "for_ms": 45_000,
                "panes": 2,
                "reason": "foreign data",
            }
        ],
        "services": [
            {
                "service": "ranker",
                "dropped": {"buffer_full": 4},
                "late": 3,
                "future": 2,
                "duplicates": 1,
                "shared_names": 0,
                "open_revisions": 5,
            }
        ],
        "channels": [
            {
                "name": "hook",
                "alerts": 2,
                "waiting": 3,
                "is_capped": False,
                "oldest_ms": 1_500,
                "deliveries": {"sent": 7, "retry": 1, "dead": 0, "suppressed": 2},
            }
        ],
        "heartbeats": [
            {
                "name": "watch",
                "every_ms": 60_000,
                "sent_ms": 4_000,
                "sent": 3,
                "tried_ms": 9_000,
                "problem": "no alerter",
                "age_ms": 6_000,
            }
        ],
        "account": {
            "added": 100,
            "committed": 60,
            "dead": 1,
            "lost": 9,
            "pending": 10,
            "unread": 20,
            "surplus": 0,
            "lost_counted": 7,
            "lost_events": 450,
            "is_counted": True,
            "last_id": "9-0",
            "dead_counted": 1,
            "dead_events": 250,
        },
        "store": {
            "bytes": 5_000,
            "bound_bytes": 10_000,
            "steps": [
                {
                    "step_ms": 1_000,
                    "bytes": 5_000,
                    "blocks": 2,
                    "dropped_blocks": 4,
                    "dropped_bytes": 9_000,
                    "kept_from_ms": 77,
                }
            ],
        },
        "streams": [
            {
                "name": "dead",
                "key": "baro:{5}:dead",
                "length": 7,
                "added": 9,
                "memory_bytes": 4_096,
                "first_id": "1-0",
                "last_id": None,
                "groups": [
                    {
                        "name": "aggregator",
                        "last_delivered_id": "5-1",
                        "unread": 3,
                        "is_capped": True,
                        "pending": 2,
                        "oldest_pending_id": None,
                        "lag_ms": 1_200,
                        "consumers": [{"name": "h:1:aa", "pending": 2, "idle_ms": 30}],
                    }
                ],
            }
        ],
        "workers": [
            {"stage": "aggregator", "name": "h:1:aa", "age_ms": 100, "is_alive": True, "facts": {"events": "5"}}
        ],
        "producers": [
            {
                "service": "ranker",
                "instance": "h:2:bb",
                "through_ms": 9_990,
                "through_age_ms": 10,
                "sent": 7,
                "drops": {},
                "folded": {},
                "late": 0,
                "future": 0,
                "ahead_ms": 0,
                "is_missing": False,
                "is_silent": False,
            }
        ],
    }


def test_before_anything_ran_there_is_a_document_too() -> None:
    document = shard_document(PipelineStatus(10_000, (), None, {}, (), ()))
    assert (document["shard"], document["account"], document["store"], document["open_panes"]) == ("0", None, None, 0)
