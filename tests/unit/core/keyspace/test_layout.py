"""Where services live, and what a change of the layout leaves where it is."""

import json
from collections.abc import Callable, Sequence

import pytest

from barograph_core.errors import StreamUnavailableError
from barograph_core.keyspace.keys import ShardKeys, shard_of
from barograph_core.keyspace.layout import Layout, LayoutView, read_layout, spread_tags
from barograph_core.keyspace.layout_change import (
    LayoutConflictError,
    install_layout,
    mend_epochs,
    pin_service,
    set_shards,
    unpin_service,
)
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply, Value
from barograph_core.server.replies import as_hash
from barograph_core.server.slots import hash_slot
from tests.support import FakeClock, append, fake_connection, request_batch

PREFIX = "baro"
SERVICES = [f"service-{number}" for number in range(40)]


@pytest.fixture
def server() -> Connection:
    return fake_connection()


def close_a_pane(server: Connection, keys: ShardKeys, service: str) -> None:
    server.command("HSET", keys.closed, service, 1_700_000_000_000)


def homes(server: Connection, layout: Layout) -> dict[str, str]:
    """Return where each service has data."""
    return {service: keys.tag for keys in layout.shards for service in as_hash(server.command("HGETALL", keys.closed))}


def epochs(server: Connection, layout: Layout) -> set[bytes]:
    replies = server.pipeline([("GET", keys.epoch) for keys in layout.shards])
    return {reply for reply in replies if isinstance(reply, bytes)}


def load_of(tags: Sequence[str], nodes: int) -> list[int]:
    """Return how many shards lie on each of ``nodes`` equal nodes."""
    load = [0] * nodes
    for tag in tags:
        load[hash_slot(tag) * nodes // 16_384] += 1
    return load


def test_without_a_written_layout_there_is_one_shard(server: Connection) -> None:
    assert read_layout(server, PREFIX) == Layout(PREFIX, 0, ("0",))


def test_a_new_server_gets_the_shards_of_the_settings(server: Connection) -> None:
    layout = install_layout(server, PREFIX, 4)
    assert layout == Layout(PREFIX, 1, spread_tags(4))
    assert read_layout(server, PREFIX) == layout
    assert epochs(server, layout) == {b"1"}


def test_what_is_written_goes_over_the_settings(server: Connection) -> None:
    written = install_layout(server, PREFIX, 4)
    assert install_layout(server, PREFIX, 7) == written


def test_a_service_with_data_stays_where_it_is(server: Connection) -> None:
    """Its panes, cursors and alerts are there; only new services are spread."""
    for service in SERVICES:
        close_a_pane(server, ShardKeys(), service)
    layout = set_shards(server, PREFIX, 4)
    assert {layout.tag_of(service) for service in SERVICES} == {"0"}
    assert {layout.tag_of(f"new-{number}") for number in range(40)} == set(layout.tags)


@pytest.mark.parametrize("counts", [(4, 6), (4, 2), (3, 12, 1), (2, 3, 5, 8)])
def test_services_stay_through_any_row_of_changes(server: Connection, counts: tuple[int, ...]) -> None:
    layout = read_layout(server, PREFIX)
    for count in counts:
        for service in SERVICES[:: len(counts)] if layout.epoch else SERVICES:
            close_a_pane(server, layout.keys_of(service), service)
        before = homes(server, layout)
        layout = set_shards(server, PREFIX, count)
        assert len(layout.tags) == count
        assert {service: layout.tag_of(service) for service in before} == before
        assert epochs(server, layout) == {str(layout.epoch).encode()}


def test_a_service_that_was_only_appended_stays_too(server: Connection) -> None:
    """Its entries are not committed yet: nothing but the stream knows of it."""
    append(server, ShardKeys(), request_batch([(1_700_000_000_000, "/", 200, 1.0)], service="fresh"), service="fresh")
    layout = set_shards(server, PREFIX, 8)
    assert layout.tag_of("fresh") == "0"


def test_a_shard_that_never_held_anything_is_let_go(server: Connection) -> None:
    set_shards(server, PREFIX, 4)
    layout = set_shards(server, PREFIX, 3)
    assert (layout.tags, layout.extra, layout.pins) == (spread_tags(3), (), {})


def test_a_shard_with_nothing_but_figures_of_its_own_is_let_go(server: Connection) -> None:
    """Aggregators write them on every shard, also on one that no service ever came to."""
    for number, keys in enumerate(set_shards(server, PREFIX, 3).shards):
        close_a_pane(server, keys, f"barograph.{number}" if number else "barograph")
        server.command("XADD", keys.metrics, "*", "type", "closed")
    layout = set_shards(server, PREFIX, 2)
    assert (layout.tags, layout.extra, layout.pins) == (spread_tags(2), (), {})


def test_a_shard_that_holds_history_is_served_on(server: Connection) -> None:
    before = set_shards(server, PREFIX, 2)
    last = before.shards[1]
    server.command("XADD", last.alerts, "*", "transition", "x")
    layout = set_shards(server, PREFIX, 1)
    assert last.tag in (*layout.tags, *layout.extra)


@pytest.mark.parametrize("nodes", [3, 4, 6])
@pytest.mark.parametrize("began_with", [1, 2, 3, 4, 6])
def test_twelve_shards_are_even_however_they_came_about(server: Connection, nodes: int, began_with: int) -> None:
    layout = set_shards(server, PREFIX, began_with)
    for service in SERVICES:
        close_a_pane(server, layout.keys_of(service), service)
    layout = set_shards(server, PREFIX, 12)
    assert load_of(layout.tags, nodes) == [12 // nodes] * nodes
    assert layout.extra == ()


def test_a_service_can_have_a_shard_of_its_own(server: Connection) -> None:
    layout = pin_service(server, PREFIX, "ranker")
    assert layout.tag_of("ranker") != "0"
    assert layout.keys_of("ranker") in layout.shards
    assert set_shards(server, PREFIX, 3).tag_of("ranker") == layout.tag_of("ranker")


def test_a_service_with_data_cannot_be_pinned_elsewhere(server: Connection) -> None:
    """Nothing has changed then, and producers go on."""
    close_a_pane(server, ShardKeys(), "ranker")
    with pytest.raises(LayoutConflictError, match="has data on shard '0'"):
        pin_service(server, PREFIX, "ranker", "77")
    assert read_layout(server, PREFIX).epoch == 0
    assert append(server, ShardKeys(), request_batch([(1_700_000_000_000, "/", 200, 1.0)]))[0] == "ok"


def test_a_pin_can_be_taken_back_while_there_is_no_data(server: Connection) -> None:
    pinned = pin_service(server, PREFIX, "ranker", "77")
    assert unpin_service(server, PREFIX, "ranker").tag_of("ranker") == "0"
    pin_service(server, PREFIX, "ranker", "77")
    close_a_pane(server, pinned.keys_of("ranker"), "ranker")
    with pytest.raises(LayoutConflictError, match="has data on shard '77'"):
        unpin_service(server, PREFIX, "ranker")


def test_producers_of_the_old_epoch_are_refused(server: Connection) -> None:
    set_shards(server, PREFIX, 2)
    assert append(server, ShardKeys(), request_batch([(1_700_000_000_000, "/", 200, 1.0)])) == ["stale", "1"]


def test_two_changes_at_once_do_not_mix(server: Connection) -> None:
    server.command("SET", "baro:meta:lock", "somebody", "PX", 60_000)
    with pytest.raises(LayoutConflictError, match="another process"):
        set_shards(server, PREFIX, 2)
    assert read_layout(server, PREFIX).epoch == 0


def while_surveying(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let ``act`` happen once, in the midst of the next change: as it asks a shard for its services."""
    call, acts = Connection.call, [act]

    def noted(
        self: Connection, function: str, keys: Sequence[str], args: Sequence[Value] = (), *, read_only: bool = False
    ) -> Reply:
        while function == "baro_services_1" and acts:
            acts.pop()()
        return call(self, function, keys, args, read_only=read_only)

    monkeypatch.setattr(Connection, "call", noted)


def test_a_change_that_outlived_its_lock_leaves_the_next_ones_epochs(
    server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lowered, they would let producers of the old layout append to shards that others read as the new one's."""
    close_a_pane(server, ShardKeys(), "ranker")

    def overtake() -> None:
        server.command("DEL", "baro:meta:lock")
        set_shards(server, PREFIX, 2)
        server.command("SET", "baro:meta:lock", "a third")

    while_surveying(monkeypatch, overtake)
    with pytest.raises(LayoutConflictError, match="has data on shard '0'"):
        pin_service(server, PREFIX, "ranker", "77")
    layout = read_layout(server, PREFIX)
    assert epochs(server, layout) == {str(layout.epoch).encode()}
    assert server.command("GET", "baro:meta:lock") == b"a third"


def test_gates_stay_closed_though_an_older_change_takes_its_own_back(
    server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a service could come into being on one shard while the layout that sends it to another is written."""
    gate, seen = ShardKeys().epoch, list[Reply]()
    server.call("baro_epoch_1", [gate], [1])

    def take_back() -> None:
        server.call("baro_reopen_1", [gate], [1, 0])
        seen.append(server.command("GET", gate))

    while_surveying(monkeypatch, take_back)
    assert set_shards(server, PREFIX, 2).epoch == 2
    assert seen == [b"2"]


def test_a_change_that_was_broken_off_is_ended_by_a_worker(server: Connection) -> None:
    """Else producers would be refused for ever: the shards' epoch has no layout."""
    layout = set_shards(server, PREFIX, 2)
    server.call("baro_epoch_1", [layout.shards[0].epoch], [layout.epoch + 1])
    assert mend_epochs(server, layout)
    mended = read_layout(server, PREFIX)
    assert mended.epoch == layout.epoch + 1
    assert mended.tags == layout.tags
    assert epochs(server, mended) == {b"2"}


def test_a_change_under_way_is_left_alone(server: Connection) -> None:
    layout = set_shards(server, PREFIX, 2)
    server.call("baro_epoch_1", [layout.shards[0].epoch], [layout.epoch + 1])
    server.command("SET", "baro:meta:lock", "somebody", "PX", 60_000)
    assert not mend_epochs(server, layout)
    assert read_layout(server, PREFIX).epoch == layout.epoch


def test_a_shard_that_lost_its_epoch_gets_it_again(server: Connection) -> None:
    """A node of a Cluster may come back without its data."""
    layout = set_shards(server, PREFIX, 3)
    server.command("DEL", layout.shards[1].epoch)
    assert mend_epochs(server, layout)
    assert epochs(server, layout) == {b"1"}


@pytest.mark.parametrize(
    "fields", [{"tags": ""}, {"tags": "0", "epoch": "x"}, {"tags": "0", "pin:ranker": "5"}], ids=json.dumps
)
def test_what_cannot_be_a_layout_is_refused(server: Connection, fields: dict[str, str]) -> None:
    """Guessing would split services between shards."""
    server.command("HSET", "baro:meta", *(item for pair in fields.items() for item in pair))
    with pytest.raises(StreamUnavailableError, match="no layout"):
        read_layout(server, PREFIX)


def test_the_view_reads_once_a_second(server: Connection) -> None:
    clock = FakeClock()
    view = LayoutView(PREFIX, clock)
    assert view.current(server).tags == ("0",)
    changed = set_shards(server, PREFIX, 5)
    clock.advance(999)
    assert view.current(server).tags == ("0",)
    clock.advance(1)
    assert view.current(server) == changed


def test_unpinned_services_are_spread_by_name() -> None:
    layout = Layout(PREFIX, 1, ("5", "9", "12"))
    assert [layout.tag_of(name) for name in SERVICES[:3]] == [layout.tags[shard_of(name, 3)] for name in SERVICES[:3]]
