"""Calls of every function on the server with keys of any type and arguments of any kind."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_core.errors import BarographError
from barograph_core.functions.library import source
from barograph_core.server.connection import Connection
from barograph_core.server.link import Reply
from tests.fuzz.effort import effort

KEY_TYPES: Final = ("string", "hash", "list", "set", "zset", "stream", "none")
ODD: Final = (
    *("", "0", "1", "-1", "2", "3", "1000", "1e3", "nan", "inf", "-inf", "0x10", "1_0", " 1", "1 ", "1.5"),
    *("9007199254740993", "9999999999999999", "99999999999999999999", "s", "s:1000:1700000000000", "g", "c", "ok"),
    *(
        "batch",
        "heartbeat",
        "goodbye",
        "announce",
        "recall",
        "clear",
        "none",
        "sent",
        "retry",
        "dead",
        "look",
        "delete",
    ),
    *(
        "-",
        "+",
        "(1-1",
        "1-1",
        "1-0",
        "1-",
        "5-0",
        "abcdefgh",
        "12345678",
        '["request"]',
        "\x00\x01\x00",
        "{}",
        "[" * 50,
    ),
    *("x" * 300, "alert:a", "1:1:1", "error:1000:1", "resolved"),
)
FIELDS: Final = (
    *("s", "version", "closed_at", "watermark_ms", "deletions", "1-1", "5-0", "memory", "alert:a", "r1000", "1000"),
    *("epoch", "deleted:s", "deleted", "committed", "s:1000:0", "bytes:1000", "told", "a", '["r"]', "finished:g"),
)
LAST_ID: Final = "18446744073709551615-18446744073709551615"
HELD: Final = ("tok", "0", "1", "1000", "1-1", "nan", "abc", "", "5000 error 1000 1 firing", "\x00\x00\xffx")

odd: Final = st.sampled_from(ODD)
whole: Final = st.sampled_from(("0", "1", "2", "1000", "5000"))


def args_of(*parts: str | st.SearchStrategy[Any]) -> st.SearchStrategy[list[str]]:
    """Return lists of arguments: a text stands for itself, a strategy for one argument or several."""
    strategies: list[st.SearchStrategy[Any]] = [
        part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts
    ]
    return st.tuples(*strategies).map(lambda found: [item for one in found for item in _flat(one)])


def _flat(found: object) -> list[str]:
    items = cast("Sequence[object]", found) if isinstance(found, list | tuple) else [found]
    return list(map(str, items))


def some(strategy: st.SearchStrategy[object], most: int = 4) -> st.SearchStrategy[list[object]]:
    return st.lists(strategy, max_size=most)


@dataclass(frozen=True)
class Function:
    """One function: the types of its keys in order, and arguments of the right form."""

    types: str
    args: st.SearchStrategy[list[str]]


_PANE = args_of(
    *(st.sampled_from(("1000", "10000")), "1000", "0", st.sampled_from(("12345678", "", "abcdefgh")), "-1", whole),
    *(st.sampled_from(("0", "10000")), st.sampled_from(("0", "10000")), "blob", ""),
    st.sampled_from(((0,), (2, '["r"]', "\x00\x00z"), (2, "requests", "1"), (2, '["r"]', "z"))),
)
_CHANGE = args_of(
    *(
        "a",
        st.sampled_from(("", "{}")),
        st.sampled_from(("none", "claim", "break", "remind", "announce", "recall", "clear")),
    ),
    *(st.sampled_from(("t:1", "error:1000:1")), st.sampled_from(("0", "1", "60000")), "2", "to", "firing"),
)
_ARRIVAL = args_of(
    *(st.sampled_from(("1-1", "2-1")), "a", st.sampled_from(("a", "m")), whole, st.sampled_from(("", "{}"))),
    *(st.sampled_from(("", "0", "1000")), whole, st.sampled_from(("0", "1")), "2", "channel", "b"),
)
_RESULT = args_of(
    *("m", "a", st.sampled_from(("1-1", "5-0")), st.sampled_from(("sent", "retry", "dead", "suppressed")), whole),
    *("{}", "{}", whole, whole, st.sampled_from(("error:1000:1", "resolved", "unchanged")), "why", "1"),
    *(st.sampled_from(("", "never", "over", "same", "1000")), st.sampled_from(("0", "1")), "2", "channel", "b"),
)
_FLAPPING = args_of(
    *("alert:a", st.sampled_from(("", "{}")), st.sampled_from(("none", "announce", "override", "recall", "clear"))),
    *(st.sampled_from(("error:1000:1", "t:1")), whole, st.sampled_from(("-", "", "{}")), "2", "to", "firing"),
)
FUNCTIONS: Final = {
    "append": Function(
        "stream string zset string hash hash",
        args_of(
            "0",
            "i",
            whole,
            whole,
            "s",
            whole,
            st.sampled_from(("batch", "heartbeat", "goodbye")),
            odd,
            whole,
            some(odd, 8),
        ),
    ),
    "commit": Function(
        "stream zset hash stream list list",
        args_of("g", "c", "1000", whole, whole, whole, "1", "1-1", some(args_of("s", "1000", "12345678x"), 3)),
    ),
    "frontier": Function("stream hash hash", args_of("g", whole, "c", whole, whole, some(whole))),
    "close": Function(
        "zset zset hash zset stream hash zset zset list hash list list",
        args_of("s", "1000", whole, whole, whole, "0", "abcdefgh", some(_PANE, 2)),
    ),
    "dead": Function("stream stream hash", args_of("g", "c", "1-1", "stage", "why", "1")),
    "claim": Function("stream hash", args_of("g", "c", whole, "0-0", whole)),
    "lost": Function("stream hash", args_of("g", some(odd))),
    "reap": Function("stream", args_of("g", odd)),
    "epoch": Function("string", args_of(odd)),
    "reopen": Function("string", args_of(odd, odd)),
    "layout": Function("hash", args_of(whole, whole, "0", "", some(args_of("s", "0")))),
    "enqueue": Function(
        "stream zset hash stream hash hash",
        args_of(
            "g",
            "c",
            "1-1",
            "m",
            whole,
            st.sampled_from(("", "{}")),
            whole,
            some(st.sampled_from(("channel", "result", "b"))),
        ),
    ),
    "attempt": Function("hash string", args_of(odd, odd)),
    "delivered": Function(
        "zset hash stream string stream hash hash",
        args_of(
            *(
                "tok",
                "m",
                st.sampled_from(("1-1", "5-0")),
                st.sampled_from(("sent", "retry", "dead", "suppressed")),
                whole,
            ),
            "{}",
            "{}",
            whole,
            whole,
            st.sampled_from(("t:1", "error:1000:1", "resolved", "unchanged")),
            whole,
            "why",
            "1",
            "channel",
            "b",
        ),
    ),
    "queue": Function(
        "stream zset stream hash hash hash set zset hash hash set zset hash",
        args_of(st.sampled_from(("g", "")), "c", whole, whole, st.sampled_from(("1", "2")), some(_ARRIVAL, 2)),
    ),
    "take": Function("zset string string hash set zset hash", args_of("tok", whole, whole, whole, "m")),
    "begin": Function("hash string hash", args_of("tok", st.sampled_from(("", "more", "key")), odd)),
    "extend": Function("zset string", args_of("tok", whole, whole, "m")),
    "record": Function(
        "zset stream stream hash string hash hash set zset string hash hash set zset",
        args_of("tok", whole, st.sampled_from(("1", "2")), some(_RESULT, 2)),
    ),
    "settle": Function(
        "string hash stream hash",
        args_of("tok", whole, odd, whole, "0", st.sampled_from(("0", "1")), whole, "channel", "b", "result", "retry"),
    ),
    "finish": Function(
        "zset string hash set zset hash",
        args_of("tok", "m", whole, whole, st.sampled_from(("", "1000")), whole, whole, whole, some(odd)),
    ),
    "release": Function("string zset hash", args_of("tok", "m", odd)),
    "retire": Function(
        "stream hash zset hash zset zset zset hash stream",
        args_of("g", "s", st.sampled_from(("", "1-1")), whole, whole),
    ),
    "delete": Function(
        "stream hash zset zset hash zset zset zset hash zset list", args_of("s", "s:1000:0", "1000:0", some(odd))
    ),
    "deleted": Function("stream hash zset hash zset hash", args_of("g", "s")),
    "purge": Function("stream", args_of("s", st.sampled_from(("look", "delete")), "-", "+", whole, some(odd))),
    "weigh": Function("hash hash hash hash", args_of(whole, some(st.just("s:1000:0"), 3))),
    "drop": Function("hash hash zset zset hash hash", args_of(some(args_of("s:1000:0", "1000"), 3))),
    "tell": Function("list zset hash", args_of(whole, "s:1000:0", "12345678x", "", "totals")),
    "tick": Function("hash zset stream zset zset", args_of("1000", whole, whole, whole, some(st.just("s"), 3))),
    "transition": Function(
        "hash stream stream hash hash",
        args_of("g", "c", "s", st.sampled_from(("0", "1")), "", "", "", whole, "0", some(_CHANGE, 2)),
    ),
    "transition_2": Function(
        "hash stream stream hash hash",
        args_of("g", "c", "s", st.sampled_from(("0", "1")), "", "", "", whole, "0", some(_FLAPPING, 2)),
    ),
    "known": Function("hash hash zset", args_of("s", "1000", whole)),
    "mark": Function(
        "hash stream", args_of("key", st.sampled_from(("{}", '{"at_ms":1}')), whole, whole, whole, "a", "b")
    ),
    "ingest": Function(
        "stream string hash zset string hash",
        args_of(
            *("0", "ask", whole, "{}", "0", "0", whole, whole, whole, "1", whole, whole),
            st.sampled_from(((0,), (1, "aabcdefgh"), (2, "aabcdefgh", "rx"))),
            st.sampled_from(((0,), (1, "service", "s"), (2, "b", "x", "b", "y"))),
        ),
    ),
    "act": Function(
        "hash stream hash string",
        args_of(st.sampled_from(("0", "1")), "a", "{}", odd, "ask", whole, whole, "transition", "t", some(odd, 2)),
    ),
    "silence": Function(
        "hash stream string",
        args_of(
            whole, "ask", "id", whole, whole, some(args_of("a", st.sampled_from(("", "{}")), odd, "2", "b", odd), 3)
        ),
    ),
    "admit": Function("zset hash", args_of(whole, whole, some(odd))),
    "retain": Function(
        "stream hash", args_of("g", whole, whole, whole, "1-1", whole, whole, whole, whole, whole, whole)
    ),
    "account": Function("stream hash", args_of("g", whole)),
    "renew": Function("stream hash", args_of("g", whole)),
    "services": Function("stream", args_of("g", st.sampled_from(("", "1-1")), whole)),
    "read": Function("hash hash list", args_of("s", whole, some(whole, 8))),
    "peek": Function("stream", args_of(odd)),
    "whole": Function("stream zset zset zset zset", args_of("g", whole, some(whole, 3))),
}


def test_every_function_of_the_library_is_called() -> None:
    """A function that comes later is fuzzed too."""
    in_library = set(re.findall(r"'(baro_\w+_\d)'", source()))
    assert in_library - {"baro_version_1", "baro_build_1"} == {full_name(name) for name in FUNCTIONS}


def full_name(name: str) -> str:
    return f"baro_{name}" if name[-1].isdigit() else f"baro_{name}_1"


def make(connection: Connection, key: str, kind: str, draw: Callable[[st.SearchStrategy[str]], str]) -> None:
    """Put a key of a type there, with values of any kind."""
    held, named = st.sampled_from(HELD), st.sampled_from(FIELDS)
    connection.command("DEL", key)
    if kind == "string":
        connection.command("SET", key, draw(held))
    elif kind == "hash":
        connection.command("HSET", key, *(draw(one) for _ in range(3) for one in (named, held)))
    elif kind == "list":
        connection.command("RPUSH", key, draw(st.sampled_from(("12345678blob", "abcdefghblob", "", "x"))))
    elif kind == "set":
        connection.command("SADD", key, "a")
    elif kind == "zset":
        connection.command("ZADD", key, 1, draw(odd), 1000, "s:1000:0", 5, "1000:0")
    elif kind == "stream":
        for entry in ("1-1", "2-1"):
            connection.command("XADD", key, entry, "service", "s", "n", draw(held), "transition", "t")
        connection.command("XGROUP", "CREATE", key, "g", "0")
        connection.command("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", key, ">")
        if draw(whole) == "5000":
            connection.command("XADD", key, LAST_ID, "x", "y")


def contents(connection: Connection, keys: Sequence[str]) -> list[Reply]:
    return connection.pipeline([["DUMP", key] for key in keys])


@pytest.mark.parametrize("name", FUNCTIONS)
@effort(25)
@given(data=st.data())
def test_a_call_that_is_refused_has_written_nothing(real: Connection, name: str, data: st.DataObject) -> None:
    """Everything is checked before the first write, because nothing is rolled back; and no call blocks the server."""
    function = FUNCTIONS[name]
    types = function.types.split()
    count = data.draw(st.integers(max(1, len(types) - 4), len(types)))
    keys = [f"{{fuzz}}{name}{number}" for number in range(count)]
    is_odd = st.integers(0, 9).map(lambda number: number == 9)
    for key, kind in zip(keys, types, strict=False):
        make(real, key, data.draw(st.sampled_from(KEY_TYPES)) if data.draw(is_odd) else kind, data.draw)
    args = data.draw(function.args)
    for _ in range(data.draw(st.integers(0, 2)) if args else 0):
        args[data.draw(st.integers(0, len(args) - 1))] = data.draw(odd)
    before = contents(real, keys)
    try:
        real.command("FCALL", full_name(name), len(keys), *keys, *args)
    except BarographError:
        assert contents(real, keys) == before
