"""The control: an aggregator that commits with a plain MULTI/EXEC, as most would write it. It must miscount."""

import sys

import redis

from barograph_aggregator.__main__ import make_consumer
from barograph_aggregator.commit.commit import Commit
from barograph_aggregator.settings import AggregatorSettings
from barograph_core.keyspace.keys import AGGREGATOR_GROUP, ShardKeys
from barograph_core.server.replies import EntryId
from barograph_core.store.parts import marked
from barograph_core.workers.process import begin, stop_on_signals
from barograph_core.workers.shard_loops import Loop, serve_shards


class BlindCommitter:
    """Pushes parts and acknowledges in one transaction, without asking whether the entries are still its own."""

    def __init__(self, url: str, keys: ShardKeys) -> None:
        self._server = redis.Redis.from_url(url)
        self._keys = keys

    def commit(self, commit: Commit) -> list[EntryId]:
        with self._server.pipeline(transaction=True) as pipe:
            for part in commit.parts:
                pipe.rpush(self._keys.parts(part.service, part.start_ms), marked(part.blob))
                pipe.zadd(self._keys.open, {f"{part.service}:1000:{part.start_ms}": part.start_ms + 1_000})
            pipe.xack(self._keys.events, AGGREGATOR_GROUP, *(str(entry_id) for entry_id in commit.entry_ids))
            pipe.execute()
        return []


def main() -> int:
    start = begin("aggregator", sys.argv[1:], AggregatorSettings)

    def make_loops(keys: ShardKeys, /, *, is_new: bool) -> list[Loop]:
        del is_new
        return [make_consumer(start, keys, committer=BlindCommitter(start.server.url, keys)).run]

    return serve_shards("aggregator", start.server, make_loops, stop_on_signals())


if __name__ == "__main__":
    sys.exit(main())
