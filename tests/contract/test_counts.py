"""Counts among the arguments of server functions, which come from any client."""

from collections.abc import Sequence

import pytest

from barograph_core.errors import CommandRefusedError
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value

HUGE = 9_000_000_000_000_000
MARK = b"8 bytes."

COUNTS: dict[str, tuple[str, list[str], list[Value]]] = {
    "account limit": ("baro_account_1", ["events", "progress"], ["g", HUGE]),
    "append batches": (
        "baro_append_1",
        ["events", "sequence", "producers", "epoch", "liveness"],
        [0, "i", 1, 0, "ranker", 0, "batch", "", HUGE, "v", "1"],
    ),
    "claim count": ("baro_claim_1", ["events", "progress"], ["g", "c", 0, "0-0", HUGE]),
    "close k": (
        "baro_close_1",
        ["open", "rollups", "closed", "producers", "metrics", "progress", "heard", "blocks", "p", "b", "a", "c"],
        ["ranker", 1000, 1, 1, 1, 0, MARK, 1000, 0, 0, "", -1, 1, 0, 0, "blob", "", HUGE, "field", "value"],
    ),
    "commit n": ("baro_commit_1", ["events", "open", "progress", "metrics"], ["g", "c", 1000, 0, 0, 1, HUGE, "1-0"]),
    "purge count": ("baro_purge_1", ["events"], ["ranker", "delete", "-", "+", HUGE]),
    "read nblocks": ("baro_read_1", ["closed"], ["ranker", HUGE]),
    "read k": ("baro_read_1", ["closed", "block"], ["ranker", 1, HUGE, 0, -1]),
    "retain limit": ("baro_retain_1", ["events", "progress"], ["g", 1, 0, HUGE, "0-0", 0, 0, 0, 0, 0, 0]),
    "services limit": ("baro_services_1", ["events"], ["g", "", HUGE]),
    "transition n": (
        "baro_transition_1",
        ["state", "metrics", "alerts"],
        ["g", "c", "s", 0, "", "", "", 1, HUGE, "1-0"],
    ),
    "transition k": (
        "baro_transition_1",
        ["state", "metrics", "alerts", "cooldown"],
        ["g", "c", "s", 0, "", "", "", 1, 0, "alert", "{}", "none", "", 0, HUGE, "field", "value"],
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in COUNTS.items()])
def test_a_count_of_more_than_there_can_be_is_refused_before_the_first_write(
    connection: Connection, keys: ShardKeys, case: tuple[str, Sequence[str], Sequence[Value]]
) -> None:
    """A loop over it would block the server for good."""
    function, names, arguments = case
    stems = [f"{keys.events}-{name}" for name in names]
    with pytest.raises(CommandRefusedError, match=r"must be at most|do not add up"):
        connection.call(function, stems, arguments)
    assert connection.command("EXISTS", *stems) == 0


@pytest.mark.parametrize("count", ["-1", "1.5", "0x10", "nan", "", "1e3"])
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in COUNTS.items()])
def test_a_count_that_is_no_whole_number_is_refused(
    connection: Connection, keys: ShardKeys, case: tuple[str, Sequence[str], Sequence[Value]], count: str
) -> None:
    """tonumber() would take most of them, and some would only fail after the first write."""
    function, names, arguments = case
    stems = [f"{keys.events}-{name}" for name in names]
    wrong = [count if argument == HUGE else argument for argument in arguments]
    with pytest.raises(CommandRefusedError, match=r"whole number|do not add up"):
        connection.call(function, stems, wrong)
    assert connection.command("EXISTS", *stems) == 0
