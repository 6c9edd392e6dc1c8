"""What a group had finished is remembered: a group that is destroyed or set back by hand counts nothing twice."""

import pytest

from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import Entry, EntryId, as_entries, as_list, as_text
from tests.support import append

GROUP = "aggregator"


class Group:
    """The aggregators' group on a stream of seven entries, of which nothing is read yet."""

    def __init__(self, connection: Connection, keys: ShardKeys) -> None:
        self.connection, self.keys = connection, keys
        replies = [append(connection, keys, {"v": "1"}, seq=seq) for seq in range(1, 8)]
        self.ids = [str(EntryId.parse(reply[1])) for reply in replies]
        connection.command("XGROUP", "CREATE", keys.events, GROUP, "0")

    def read(self, consumer: str, count: int) -> list[Entry]:
        command = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", self.keys.events, ">")
        reply = self.connection.command(*command)
        return [] if reply is None else as_entries(as_list(as_list(reply)[0])[1])

    def commit(self, consumer: str, *numbers: int) -> list[str]:
        ids = [self.ids[number - 1] for number in numbers]
        keys = [self.keys.events, self.keys.open, self.keys.progress, self.keys.metrics, self.keys.parts("a", 0)]
        args: list[Value] = [GROUP, consumer, 1_000, 1, 0, 3_600_000, len(ids), *ids, "a", 0, b"part"]
        status, *lost = (as_text(item) for item in as_list(self.connection.call("baro_commit_1", keys, args)))
        return [status, *(f"{self.ids.index(entry_id) + 1}" for entry_id in lost)]

    def dead_letter(self, consumer: str, number: int) -> None:
        keys = [self.keys.events, self.keys.dead, self.keys.progress]
        self.connection.call("baro_dead_1", keys, [GROUP, consumer, self.ids[number - 1], "aggregator", "bad", 1])

    def frontier(self) -> None:
        args: list[Value] = [GROUP, 500, "mine", 1_000, 300_000]
        self.connection.call("baro_frontier_1", [self.keys.events, self.keys.progress], args)

    def progress(self, field: str) -> str | None:
        found = self.connection.command("HGET", self.keys.progress, f"{field}:{GROUP}")
        return None if found is None else as_text(found)

    def make_again(self) -> None:
        """Destroy the group, and make it where a worker does."""
        self.connection.command("XGROUP", "DESTROY", self.keys.events, GROUP)
        self.connection.command("XGROUP", "CREATE", self.keys.events, GROUP, self.progress("finished") or "0")

    def unread(self) -> list[int]:
        return [self.ids.index(str(entry.id)) + 1 for entry in self.read("mine", 100)]

    def parts(self) -> int:
        return len(as_list(self.connection.command("LRANGE", self.keys.parts("a", 0), 0, -1)))


@pytest.fixture
def group(connection: Connection, keys: ShardKeys) -> Group:
    return Group(connection, keys)


def test_a_group_made_again_goes_on_where_it_had_finished(group: Group) -> None:
    """Not at the beginning of the stream, where everything of an hour would count a second time."""
    group.read("mine", 3)
    group.commit("mine", 1, 2, 3)
    group.make_again()
    assert group.unread() == [4, 5, 6, 7]


def test_entries_that_were_pending_come_again(group: Group) -> None:
    """Destroying a group forgets what was read and not finished; no such entry may be lost."""
    group.read("mine", 5)
    group.commit("mine", 1, 2)
    group.make_again()
    assert group.unread() == [3, 4, 5, 6, 7]


def test_finished_reaches_to_the_last_entry_of_a_millisecond(connection: Connection, keys: ShardKeys) -> None:
    """The oldest pending entry is the first of its millisecond: the two of the millisecond before do not come again."""
    group = Group(connection, keys)
    connection.command("XGROUP", "SETID", keys.events, GROUP, "$")
    now = EntryId.parse(group.ids[-1]).ms + 10
    group.ids = [f"{now}-0", f"{now}-1", f"{now + 1}-0", f"{now + 1}-1"]
    for entry_id in group.ids:
        connection.command("XADD", keys.events, entry_id, "v", "1")
    group.read("mine", 3)
    group.commit("mine", 1, 2)
    group.make_again()
    assert group.unread() == [3, 4]


def test_what_others_had_finished_meanwhile_is_refused(group: Group) -> None:
    """One worker is slow: what the others committed after its entries comes again, and has no second effect."""
    group.read("slow", 2)
    group.read("fast", 2)
    group.commit("fast", 3, 4)
    group.read("other", 2)
    group.commit("other", 5, 6)
    group.make_again()
    assert group.unread() == [1, 2, 3, 4, 5, 6, 7]
    assert group.commit("mine", 1, 2, 3, 4, 5, 6, 7) == ["lost", "3", "4", "5", "6"]
    assert group.commit("mine", 1, 2, 7) == ["ok"]
    assert (group.progress("finished"), group.progress("ahead")) == (group.ids[6], None)


def test_an_entry_left_out_of_a_commit_is_not_taken_for_finished(group: Group) -> None:
    """Ranges end where something between is pending: an entry that fails is tried alone, while the others go on."""
    group.read("mine", 6)
    group.commit("mine", 2, 3, 5)
    group.make_again()
    group.read("mine", 100)
    assert group.commit("mine", 1, 2, 3, 4, 5, 6, 7) == ["lost", "2", "3", "5"]
    assert group.commit("mine", 1, 4, 6, 7) == ["ok"]


def test_ranges_are_joined_when_what_lay_between_is_finished(group: Group) -> None:
    """What is kept stays short."""
    group.read("slow", 1)
    group.read("mine", 5)
    group.commit("mine", 2, 3)
    group.commit("mine", 5, 6)
    assert group.progress("ahead") == " ".join(group.ids[at] for at in (1, 2, 4, 5))
    group.commit("mine", 4)
    assert group.progress("ahead") == f"{group.ids[1]} {group.ids[5]}"
    group.commit("slow", 1)
    assert (group.progress("finished"), group.progress("ahead")) == (group.ids[5], None)


def test_a_dead_letter_is_finished(group: Group) -> None:
    """It is not buried a second time."""
    group.read("mine", 2)
    group.dead_letter("mine", 1)
    group.dead_letter("mine", 2)
    group.make_again()
    assert group.unread() == [3, 4, 5, 6, 7]


def test_a_group_that_was_set_back_is_set_forward(group: Group) -> None:
    """The watermark would wait for an hour's entries to be read once more."""
    group.read("mine", 4)
    group.commit("mine", 1, 2, 3, 4)
    group.connection.command("XGROUP", "SETID", group.keys.events, GROUP, "0")
    group.frontier()
    assert group.unread() == [5, 6, 7]


def test_what_a_group_that_was_set_back_reads_is_refused(group: Group) -> None:
    """Also before anybody has noticed: entries of before have no second effect, and are pending for nobody."""
    group.read("mine", 4)
    group.commit("mine", 1, 2, 3, 4)
    group.connection.command("XGROUP", "SETID", group.keys.events, GROUP, "0")
    group.read("mine", 6)
    assert group.commit("mine", 1, 2, 3, 4, 5, 6) == ["lost", "1", "2", "3", "4"]
    assert group.commit("mine", 5, 6) == ["ok"]
    pending = as_list(group.connection.command("XPENDING", group.keys.events, GROUP))
    assert (group.parts(), pending[0]) == (2, 0)


def test_a_stream_begun_again_with_lower_ids_is_a_new_one(group: Group) -> None:
    """An id from the future was finished, and then the stream was deleted: what comes now must count."""
    group.read("mine", 1)
    group.commit("mine", 1)
    group.connection.command("HSET", group.keys.progress, f"finished:{GROUP}", "99999999999999-0")
    group.frontier()
    assert group.progress("finished") is None
    group.connection.command("HSET", group.keys.progress, f"finished:{GROUP}", "99999999999999-0")
    group.read("mine", 1)
    assert group.commit("mine", 2) == ["ok"]
