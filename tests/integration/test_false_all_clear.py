"""A dead producer is never mistaken for a quiet one."""

import subprocess
import sys
from pathlib import Path

from barograph_core.keyspace.keys import ShardKeys
from tests.integration.pipeline import Pipeline, running_pipeline
from tests.support import wait_until

CONFIG = """
[alerter]
default_rules = false

[[rule]]
name = "errors"
on = "request"
by = []
window = "2s"
when = "error_rate > 0.1"
severity = "error"

[[channel]]
name = "console"
type = "console"
"""

FAILING = """
import sys, time
from barograph_producer import Producer
producer = Producer(service="ranker", url=sys.argv[1], prefix=sys.argv[2], sample_process=False)
while True:
    producer.request(route="/a", method="GET", status=503, duration_ms=5.0)
    time.sleep(0.02)
"""
SECONDS_AFTER = 6


def failing_producer(pipeline: Pipeline) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", FAILING, pipeline.url, pipeline.keys.prefix])


def test_killing_the_failing_producer_resolves_nothing(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """Of two producers of one service the failing one is killed: its alert keeps firing."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        healthy, failing = pipeline.producer(), failing_producer(pipeline)
        try:
            healthy.request(route="/a", method="GET", status=200, duration_ms=5.0)
            pipeline.wait_for_transition("errors", "firing")
        finally:
            failing.kill()
            failing.wait(60)
        killed_at = pipeline.closed_at()

        def is_evaluated() -> bool:
            healthy.request(route="/a", method="GET", status=200, duration_ms=5.0)
            return pipeline.closed_at() >= killed_at + SECONDS_AFTER * 1_000

        # The window of the rule is 2 s: three times over, it holds nothing but good requests.
        wait_until(is_evaluated, timeout_s=30, what="the panes after the kill")
        healthy.close()
        assert pipeline.alert_state() == ["firing"]
        assert ("errors", "resolved") not in pipeline.transitions()


def test_a_failing_producer_that_says_goodbye_resolves(valkey_url: str, keys: ShardKeys, tmp_path: Path) -> None:
    """The control: with a goodbye the same silence is an all-clear."""
    with running_pipeline(valkey_url, keys, tmp_path, CONFIG) as pipeline:
        healthy, failing = pipeline.producer(), pipeline.producer()

        def fails_until_it_fires() -> bool:
            failing.request(route="/a", method="GET", status=503, duration_ms=5.0)
            return ("errors", "firing") in pipeline.transitions()

        wait_until(fails_until_it_fires, what="the alert")
        failing.close()

        def is_resolved() -> bool:
            healthy.request(route="/a", method="GET", status=200, duration_ms=5.0)
            return ("errors", "resolved") in pipeline.transitions()

        wait_until(is_resolved, timeout_s=30, what="the resolution")
        healthy.close()
        assert pipeline.alert_state() == []
