"""The protocol with the server: nothing lost, nothing twice, whatever a reply does."""

import itertools
import json
import random
from dataclasses import replace

import pytest

from barograph_core.errors import CommandRefusedError, StreamUnavailableError
from barograph_core.events.encode import EncodedBatch, encode_batch
from barograph_core.events.kinds import KINDS
from barograph_core.keyspace.keys import ShardKeys
from barograph_producer._ship.backlog import Backlog
from barograph_producer._ship.shipper import DOUBT_LIMIT_MS, Shipper
from barograph_producer._stats import ProducerCounters
from tests.support import FakeClock
from tests.unit.producer.fake_server import FakeServer

NOW_MS = 1_700_000_000_000


def batch(n: int = 1, first_ms: int = NOW_MS) -> EncodedBatch:
    return encode_batch(KINDS["request"], [("/a", "GET", 200)], [0] * n, range(first_ms, first_ms + n), [[1.5] * n])


class Rig:
    """A shipper with its backlog and a fake server."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW_MS)
        self.server = FakeServer()
        self.counters = ProducerCounters()
        self.backlog = Backlog(self.counters, max_bytes=1 << 20, keep_ms=10_000, keep_bytes=1 << 20)
        names = (f"host:1:{i:016x}" for i in itertools.count(1))
        self.shipper = Shipper(
            service="ranker",
            prefix="baro",
            connect=self.server.connect,
            clock=self.clock,
            backlog=self.backlog,
            counters=self.counters,
            new_instance=lambda: next(names),
        )

    def add(self, *sizes: int) -> None:
        for n in sizes:
            self.backlog.add(batch(n))

    def ship(self, *, liveness: str = "") -> None:
        self.shipper.ship(self.clock.now_ms(), liveness)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_batches_arrive_in_order(rig: Rig) -> None:
    rig.add(3, 1, 2)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [3, 1, 2]
    assert rig.counters.shipped == 6
    assert rig.backlog.events == 0


def test_only_the_last_batch_claims_that_everything_was_shipped(rig: Rig) -> None:
    """While batches wait, ``through_ms`` stays at the oldest of them."""
    rig.clock.advance(100)
    rig.add(*[1] * 9)
    rig.ship()
    assert [call.through_ms for call in rig.server.calls] == [NOW_MS, NOW_MS + 100]
    claims = [int(entry.fields[b"through_ms"]) for entry in rig.server.streams["baro:{0}:events"]]
    assert claims == [NOW_MS] * 8 + [NOW_MS + 100]


def test_the_last_call_carries_the_heartbeat(rig: Rig) -> None:
    """Eight batches go in a call."""
    rig.add(*[1] * 9)
    rig.ship(liveness="{}")
    assert [(len(call.batches), call.liveness) for call in rig.server.calls] == [(8, ""), (1, "{}")]


def test_a_call_is_bounded_in_bytes(rig: Rig) -> None:
    """The server answers no other client during a call."""
    rig.backlog = Backlog(rig.counters, max_bytes=1 << 30, keep_ms=0, keep_bytes=0)
    for _ in range(4):
        rig.backlog.add(replace(batch(), data=bytes(100 * 1024)))
    assert len(rig.backlog.oldest(8, 256 * 1024)) == 2
    assert len(rig.backlog.oldest(8, 1)) == 1


def test_batches_of_which_some_had_landed_go_on_behind_them(rig: Rig) -> None:
    """A lost reply, and what was recorded meanwhile is offered in the same call again."""
    rig.add(3, 2)
    rig.server.lose_replies = 1
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    rig.add(4)
    rig.ship(liveness="{}")
    assert [batch.n for batch in rig.server.batches()] == [3, 2, 4]
    assert [len(call.batches) for call in rig.server.calls] == [2, 3, 1]
    assert (rig.counters.shipped, rig.server.calls[-1].liveness) == (9, "{}")


def test_a_slow_server_is_left_after_a_second_so_that_the_buffers_are_drained(rig: Rig) -> None:
    """What has been shipped by then stays shipped, and nothing is claimed beyond it."""
    rig.server.refuse = lambda _: rig.clock.advance(400)
    rig.add(*[1] * 40)
    assert not rig.shipper.ship(NOW_MS + 99_000, "{}")
    assert [call.through_ms for call in rig.server.calls] == [NOW_MS] * 3
    assert rig.backlog.events == 16
    assert rig.shipper.ship(NOW_MS + 99_000, "{}")
    assert rig.server.events() == 40


def test_no_batch_is_begun_after_the_time_to_stop(rig: Rig) -> None:
    rig.shipper.stop_by_ms = rig.clock.monotonic_ms()
    rig.add(*[1] * 9)
    assert not rig.shipper.ship(NOW_MS, "")
    assert rig.server.events() == 8


@pytest.mark.parametrize("sign", ["heartbeat", "goodbye"])
def test_a_sign_of_life_finds_out_what_a_failover_lost(sign: str, rig: Rig) -> None:
    """Without a further batch, too, what the new master lacks is offered again."""
    rig.add(3, 2)
    rig.ship()
    sequence = ShardKeys("baro").sequence(rig.shipper.instance)
    rig.server.sequences[sequence] = 1
    rig.server.streams["baro:{0}:events"].pop()
    if sign == "heartbeat":
        rig.ship(liveness="{}")
    else:
        rig.shipper.say_goodbye(NOW_MS, "{}")
    assert [batch.n for batch in rig.server.batches()] == [3, 2]
    assert rig.server.calls[-1].mode in (sign, "batch")
    assert rig.counters.shipped == 5


def test_a_heartbeat_goes_alone_when_nothing_waits(rig: Rig) -> None:
    rig.ship(liveness="{}")
    assert [(call.mode, call.through_ms) for call in rig.server.calls] == [("heartbeat", NOW_MS)]


def test_a_batch_whose_reply_was_lost_is_not_there_twice(rig: Rig) -> None:
    rig.add(3, 2)
    rig.server.lose_replies = 1
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    rig.ship()
    assert rig.server.events() == 5
    assert rig.counters.shipped == 5


def test_what_a_failover_lost_is_sent_again(rig: Rig) -> None:
    """The gap reply brings back exactly the confirmed batches that the new master lacks."""
    rig.add(3, 2, 1)
    rig.ship()
    stream = rig.server.streams["baro:{0}:events"]
    del stream[1:]
    rig.server.sequences = dict.fromkeys(rig.server.sequences, 1)
    rig.add(5)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [3, 2, 1, 5]
    assert rig.counters.shipped == 11
    assert rig.counters.lost["lost_by_server"] == 0


def test_a_hole_in_the_numbers_is_not_papered_over_after_a_failover(rig: Rig) -> None:
    """The server counts the batches of a call up from the first one's number."""
    rig.add(3)
    rig.ship()
    rig.add(2)
    rig.server.refuse = lambda call: CommandRefusedError("no") if call.mode == "batch" else None
    for _ in range(3):
        with pytest.raises(CommandRefusedError):
            rig.ship()
    rig.server.refuse = lambda _: None
    rig.add(1)
    rig.ship()
    del rig.server.streams["baro:{0}:events"][:]
    rig.server.sequences.clear()
    rig.add(4)
    rig.ship()
    rig.ship(liveness="{}")
    assert [batch.n for batch in rig.server.batches()] == [3, 1, 4]
    assert (rig.counters.shipped, rig.counters.lost["refused"], rig.counters.lost["lost_by_server"]) == (8, 2, 0)


def test_a_server_that_forgot_a_silent_producer_has_lost_nothing(rig: Rig) -> None:
    """It forgets after a day: what it confirmed before is there, and must not come again."""
    rig.add(3, 2)
    rig.ship()
    before = rig.shipper.instance
    rig.clock.advance(25 * 3_600_000)
    rig.server.sequences.clear()
    rig.add(1)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [3, 2, 1]
    assert (rig.counters.shipped, rig.counters.lost["lost_by_server"]) == (6, 0)
    assert rig.shipper.instance != before


def test_what_is_no_longer_kept_is_counted_and_declared(rig: Rig) -> None:
    """Beyond the seconds that batches are kept, a failover's loss is exact in the counters."""
    rig.add(3, 2)
    rig.ship()
    rig.clock.advance(10_001)
    rig.add(1)
    rig.ship()
    del rig.server.streams["baro:{0}:events"][:]
    rig.server.sequences.clear()
    rig.add(4)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [1, 4]
    assert rig.counters.lost["lost_by_server"] == 5
    assert rig.counters.shipped == 5


def test_a_batch_in_doubt_for_23_hours_is_dropped_and_counted(rig: Rig) -> None:
    """After a day the server could not recognise a repeat: better lost and counted than counted twice."""
    rig.add(3)
    rig.server.failures.append(StreamUnavailableError("timeout"))
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    rig.add(2)
    rig.clock.advance(DOUBT_LIMIT_MS + 1)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [2]
    assert rig.counters.lost["in_doubt"] == 3


def test_a_dropped_batch_that_had_landed_blocks_nothing(rig: Rig) -> None:
    rig.add(3, 2)
    rig.server.lose_replies = 1
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    rig.clock.advance(DOUBT_LIMIT_MS + 1)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [3, 2]


def test_a_batch_that_is_always_refused_is_given_up_while_heartbeats_pass(rig: Rig) -> None:
    rig.add(1, 3, 2)
    rig.server.refuse = lambda call: (
        CommandRefusedError("ERR") if b"3" in (batch[b"n"] for batch in call.batches) else None
    )
    for _ in range(4):  # once together with others, then alone
        with pytest.raises(CommandRefusedError):
            rig.ship()
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [1, 2]
    assert rig.counters.lost["refused"] == 3


def test_a_server_that_refuses_everything_costs_no_batch(rig: Rig) -> None:
    rig.add(3)
    rig.server.refuse = lambda _: CommandRefusedError("WRONGTYPE")
    for _ in range(9):
        with pytest.raises(CommandRefusedError):
            rig.ship()
    assert rig.backlog.events == 3


def test_a_new_epoch_on_the_same_shard_is_followed(rig: Rig) -> None:
    rig.add(1)
    rig.ship()
    rig.server.meta = {"tags": "0", "epoch": "3"}
    rig.server.epochs = {ShardKeys().epoch: "3"}
    rig.add(2)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [1, 2]
    assert rig.shipper.instance == "host:1:0000000000000001"


def move_to_another_shard(server: FakeServer) -> ShardKeys:
    server.meta = {"tags": "0", "extra": "17", "epoch": "1", "pin:ranker": "17"}
    keys = ShardKeys(tag="17")
    server.epochs = {ShardKeys().epoch: "1", keys.epoch: "1"}
    return keys


def test_a_service_that_moves_takes_its_backlog_along(rig: Rig) -> None:
    """On the new shard the producer is a new instance, and nothing confirmed is sent again."""
    rig.add(1)
    rig.ship()
    keys = move_to_another_shard(rig.server)
    rig.add(2, 3)
    rig.ship()
    assert [batch.n for batch in rig.server.batches(keys.events)] == [2, 3]
    assert rig.server.events() == 1
    assert rig.shipper.instance == "host:1:0000000000000002"
    assert rig.counters.shipped == 6


def test_a_batch_in_doubt_does_not_land_on_both_shards(rig: Rig) -> None:
    rig.add(2, 1)
    rig.server.lose_replies = 1
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    rig.add(3)
    keys = move_to_another_shard(rig.server)
    rig.ship()
    assert [batch.n for batch in rig.server.batches()] == [2, 1]
    assert [batch.n for batch in rig.server.batches(keys.events)] == [3]


def test_a_layout_in_the_middle_of_a_change_waits(rig: Rig) -> None:
    rig.server.epochs = {ShardKeys().epoch: "9"}
    rig.add(1)
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    assert rig.backlog.events == 1


def test_a_pin_to_a_shard_that_does_not_exist_waits(rig: Rig) -> None:
    """Guessing another shard would split the service."""
    rig.server.meta = {"tags": "0,5", "pin:ranker": "7"}
    rig.add(1)
    with pytest.raises(StreamUnavailableError, match="pinned"):
        rig.ship()


def test_goodbye_removes_the_producer(rig: Rig) -> None:
    rig.ship(liveness="{}")
    assert rig.server.producers
    rig.shipper.say_goodbye(NOW_MS, "{}")
    assert not rig.server.producers


def test_the_backlog_is_full_by_bytes() -> None:
    backlog = Backlog(ProducerCounters(), max_bytes=2_000, keep_ms=0, keep_bytes=0)
    while not backlog.is_full:
        backlog.add(batch(100))
    assert len(backlog) == 2
    assert backlog.drop_all() == 200
    assert not backlog.is_full


def test_compressed_batches_come_back_as_they_were() -> None:
    """Across many blocks of the shelf, and one that is larger than a block."""
    backlog = Backlog(ProducerCounters(), max_bytes=1 << 30, keep_ms=10_000, keep_bytes=1 << 20)
    noise = random.Random(1)
    data = [noise.randbytes(size) for size in (7_000, 100_000, 200_000, 600_000, 1, 90_000)]
    for each in data:
        backlog.add(replace(batch(), data=each), must_wait=True)
    parcels = backlog.oldest(len(data), 1 << 30)
    assert [parcel.whole_batch.data for parcel in parcels] == data
    assert sum(parcel.cost_bytes for parcel in parcels) > sum(map(len, data))


def test_confirmed_batches_are_kept_within_their_bytes() -> None:
    backlog = Backlog(ProducerCounters(), max_bytes=1 << 20, keep_ms=10_000, keep_bytes=2_000)
    for seq in range(1, 11):
        backlog.add(batch(10))
        backlog.confirm(seq, 0.0)
    backlog.rewind(0)
    assert 1 <= len(backlog) <= 3


def test_a_name_that_a_copy_of_the_process_uses_too_is_left_and_nothing_is_lost(rig: Rig) -> None:
    """The server knows batches that were never sent from here, so they are another's: these go under a new name."""
    rig.add(2)
    rig.ship()
    name = rig.shipper.instance
    rig.server.sequences[f"baro:{{0}}:seq:{name}"] = 3
    rig.add(5, 1)
    rig.ship()
    assert rig.server.events() == rig.counters.shipped == 8
    assert rig.counters.shared_names == 1
    assert rig.shipper.instance != name


def test_a_repeat_after_a_lost_reply_keeps_the_name(rig: Rig) -> None:
    """The server knows the number because it was sent from here."""
    rig.server.lose_replies = 1
    rig.add(2, 1)
    with pytest.raises(StreamUnavailableError):
        rig.ship()
    name = rig.shipper.instance
    rig.add(1)
    rig.ship()
    assert rig.server.events() == rig.counters.shipped == 4
    assert (rig.counters.shared_names, rig.shipper.instance) == (0, name)


def test_under_a_new_name_it_states_what_it_reported_under_the_old_one(rig: Rig) -> None:
    """Otherwise the service's totals would count it again; what the old name never reported is new."""
    rig.add(1)
    rig.ship(liveness='{"dropped": {"invalid": 4}}')
    rig.server.sequences[ShardKeys().sequence(rig.shipper.instance)] = 9
    rig.add(1)
    rig.ship(liveness='{"dropped": {"invalid": 6}}')
    rig.ship(liveness='{"dropped": {"invalid": 7}}')
    sent = [json.loads(call.liveness) for call in rig.server.calls if call.liveness]
    assert rig.counters.shared_names == 1
    assert [one.get("carried") for one in sent] == [None, None, *[{"dropped": {"invalid": 4}}] * (len(sent) - 2)]
    assert sent[-1]["dropped"] == {"invalid": 7}
