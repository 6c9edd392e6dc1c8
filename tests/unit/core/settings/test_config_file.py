"""The configuration file is found, and every key in it can be pointed at."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph_core.errors import SettingsError
from barograph_core.settings.config_file import ConfigFile, check_sections, load_config, parse_config, suggestion
from barograph_core.settings.toml_lines import KeyPath, locate_keys

FULL = '''\
# [not] = "a table"
title."dotted key" = 1   # line 2
[server]
url = "redis://x/#not-a-comment"   # line 4
[[rule]]                           # line 5, rule 0
name = """
[[rule]]
name = 'still text' \\""" and more
"""
by = [
  "route",   # line 11
  "[method]",
]
labels = { team = "a", inner.deep = [1, { x = 2 }] }   # line 14
[rule.extra]                       # line 15
'quo.ted' = 07:32:00
[[ "rule" ]]                       # line 17, rule 1
when = \'\'\'
= [ ] # '' \'\'\'
[[rule.child]]                     # line 20
a = 1
[[rule.child]]                     # line 22
at = 1979-05-27 07:32:00
[a.b.c]                            # line 24
[a]                                # line 25
x = -1.5e3
'''


def config_of(text: str) -> ConfigFile:
    return parse_config(text, Path("barograph.toml"))


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("title", "dotted key"), 2),
        (("server",), 3),
        (("server", "url"), 4),
        (("rule",), 5),
        (("rule", 0), 5),
        (("rule", 0, "name"), 6),
        (("rule", 0, "by"), 10),
        (("rule", 0, "by", 0), 11),
        (("rule", 0, "by", 1), 12),
        (("rule", 0, "labels", "team"), 14),
        (("rule", 0, "labels", "inner", "deep", 1, "x"), 14),
        (("rule", 0, "extra"), 15),
        (("rule", 0, "extra", "quo.ted"), 16),
        (("rule", 1), 17),
        (("rule", 1, "when"), 18),
        (("rule", 1, "child", 0, "a"), 21),
        (("rule", 1, "child", 1), 22),
        (("rule", 1, "child", 1, "at"), 23),
        (("a", "b", "c"), 24),
        (("a",), 25),
        (("a", "x"), 26),
    ],
)
def test_each_key_is_found_on_its_line(key: KeyPath, line: int) -> None:
    """Tables, arrays of tables, dotted and quoted keys, long strings and arrays, comments: none shifts the count."""
    assert config_of(FULL).where(*key) == f"barograph.toml:{line}"


def test_a_key_that_is_absent_is_placed_at_its_table() -> None:
    """A missing setting is reported where it ought to stand."""
    assert config_of(FULL).where("rule", 1, "window") == "barograph.toml:17"


def test_a_name_that_stands_nowhere_is_placed_in_the_file() -> None:
    """Without any line the file alone is named."""
    assert config_of(FULL).where("console", "port") == "barograph.toml"


def _paths(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    yield path
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from _paths(inner, (*path, index))


def test_every_key_that_tomllib_reads_has_a_line() -> None:
    """The scanner and the parser agree on what there is."""
    assert set(_paths(tomllib.loads(FULL))) == set(locate_keys(FULL))


_NAMES = st.sampled_from(["a", "b-1", "'c.d'", '"e # f"', "a.b", '"q\\"t"', '"\\U0001F600"', "a . 'b'"])
_VALUES = st.recursive(
    st.sampled_from(["1", "true", '"x # [y]"', "'z'", '"""\n[q]\n"" x"""', "'''\n= ''\n'''", "1979-05-27 07:32:00"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ # c\n" + ",\n ".join(items) + "\n]")
        | st.lists(st.tuples(_NAMES, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=6,
)
_STATEMENTS = st.one_of(
    st.tuples(_NAMES, _VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    _NAMES.map(lambda name: f"[ {name} ] # [x]"),
    _NAMES.map(lambda name: f"[[{name}]]"),
    st.just("# [[comment]]"),
    st.just(""),
)


@given(st.lists(_STATEMENTS, max_size=12).map("\n".join))
def test_any_document_that_tomllib_reads_is_scanned_whole(text: str) -> None:
    """Whatever people write, each key gets a line within the file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = locate_keys(text)
    assert set(_paths(data)) == set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


def test_tables_and_lists_of_tables_are_handed_out() -> None:
    """A stage gets its table and its entries, empty where the file has none."""
    config = config_of('[server]\nprefix = "x"\n[[rule]]\nname = "a"\n[[rule]]\nname = "b"\n')
    assert config.table("server") == {"prefix": "x"}
    assert config.tables("rule") == [{"name": "a"}, {"name": "b"}]
    assert config.table("console") == {}
    assert config.tables("route") == []


def test_unknown_and_misshapen_sections_are_all_reported() -> None:
    """Nothing in the file is silently ignored."""
    config = config_of("server = 1\n[agregator]\n[rule]\n[[notifier]]\n[slo]\n")
    assert [str(problem) for problem in check_sections(config)] == [
        "barograph.toml:1: server: must be a table: write [server]",
        "barograph.toml:2: agregator: is not a known section; did you mean 'aggregator'?",
        "barograph.toml:3: rule: must be a list of tables: write [[rule]]",
        "barograph.toml:4: notifier: must be a table: write [notifier]",
        "barograph.toml:5: slo: must be a list of tables: write [[slo]]",
    ]


def test_a_name_like_none_gets_the_list_of_known_ones() -> None:
    """Without a close match the reader still learns what exists."""
    assert suggestion("zzz", ["beta", "alpha"]) == "; known are alpha, beta"


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    """A file that is not TOML is a settings error, no traceback."""
    file = tmp_path / "b.toml"
    file.write_text("[server]\nurl = \n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_config(str(file), {})
    assert str(caught.value) == f"{file}:2: syntax: Invalid value"


def test_a_file_that_ends_too_early_is_placed_at_its_last_line(tmp_path: Path) -> None:
    """``tomllib`` says "at end of document"; people get a number."""
    file = tmp_path / "b.toml"
    file.write_text("[server]\nlist = [1,\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_config(str(file), {})
    assert caught.value.problems[0].where == f"{file}:2"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"[server]\na = {'[' * 5_000}{']' * 5_000}\n", ": syntax: brackets are nested too deeply"),
        (f"[server]\na = {'{a = ' * 5_000}1{'}' * 5_000}\n", ": syntax: brackets are nested too deeply"),
        (f"[server]\n\na = {'9' * 5_000}\n", ":3: syntax: a number has too many digits"),
        (f"[server]\na = 0x{'f' * 50_000}\n", ":2: server.a: is a number of more than 64 bits"),
        ("[[rule]]\n[[rule]]\na = [1, 9223372036854775808]\n", ":3: rule.1.a.1: is a number of more than 64 bits"),
        ("[server]\na = -9223372036854775809\n", ":2: server.a: is a number of more than 64 bits"),
    ],
)
def test_what_toml_allows_and_python_cannot_read_is_a_mistake(text: str, problem: str) -> None:
    """Not a traceback, here or where the value would be shown."""
    with pytest.raises(SettingsError) as caught:
        parse_config(text, Path("b.toml"))
    assert str(caught.value) == f"b.toml{problem}"


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(SettingsError, match="/dev/zero: is larger than 4,000,000 bytes"):
        load_config("/dev/zero", {})


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A mistyped ``--config`` never falls back to defaults."""
    missing = str(tmp_path / "none.toml")
    with pytest.raises(SettingsError) as caught:
        load_config(missing, {})
    assert str(caught.value) == f"--config: {missing}: cannot be read: No such file or directory"


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    """TOML is UTF-8; the byte that is not is named."""
    file = tmp_path / "b.toml"
    file.write_bytes(b'name = "\xe4"\n')
    with pytest.raises(SettingsError, match="is not UTF-8 text: byte 8 is 0xe4"):
        load_config(None, {"BAROGRAPH_CONFIG": str(file)})


def test_a_byte_order_mark_is_no_syntax_error(tmp_path: Path) -> None:
    """Some editors write one."""
    file = tmp_path / "b.toml"
    file.write_bytes(b'\xef\xbb\xbf[server]\nprefix = "x"\n')
    config = load_config(str(file), {})
    assert config.where("server", "prefix") == f"{file}:2"


def test_the_flag_is_stronger_than_the_variable_and_that_than_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the three sources of the file's path, and none at all."""
    monkeypatch.chdir(tmp_path)
    assert load_config(None, {}) == ConfigFile()
    for name in ("barograph.toml", "variable.toml", "flag.toml"):
        (tmp_path / name).write_text(f'[server]\nprefix = "{name[:-5]}"\n', encoding="utf-8")
    environ = {"BAROGRAPH_CONFIG": "variable.toml"}
    assert load_config(None, {}).table("server") == {"prefix": "barograph"}
    assert load_config(None, environ).table("server") == {"prefix": "variable"}
    assert load_config("flag.toml", environ).table("server") == {"prefix": "flag"}
