"""A worker's report carries the server's time, whatever its own clock says."""

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.pipeline.reader import PipelineReader
from barograph_core.server.connection import Connection
from barograph_core.workers.counters import WorkerCounters
from barograph_core.workers.report import WorkerReport


def test_a_report_is_as_old_as_the_server_says(connection: Connection, keys: ShardKeys) -> None:
    """The server's clock may be years from the worker's: readers compare with the server's."""
    WorkerReport(connection, keys, stage="alerter", name="h:1:aa", counters=WorkerCounters()).write()
    (worker,) = PipelineReader(connection, keys).read().workers
    assert worker.is_alive
    assert worker.age_ms < 5_000
    assert int(worker.facts["at_ms"]) >= PipelineReader(connection, keys).read().at_ms - 60_000
