"""Settings are read from four sources by one loader, and every mistake is named at once."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from barograph_core.errors import SettingsError
from barograph_core.settings.config_file import ConfigFile, parse_config
from barograph_core.settings.load import add_arguments, build_settings, describe, find_problems, variable_name
from barograph_core.settings.secrets import hide_password, resolve_secret
from barograph_core.settings.server import ServerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """A stage with a field of every kind."""

    grace_ms: int = field(default=500, metadata={"minimum": 0, "maximum": 60_000, "help": "how long"})
    share_ratio: float = field(default=0.5, metadata={"minimum": 0})
    is_on: bool = False
    name: str = field(default="x", metadata={"choices": ("x", "y")})
    level: Literal["low", "high"] = "low"
    host: str | None = None
    tags: tuple[str, ...] = ("a",)
    token: str = field(default="", repr=False, metadata={"secret": True})


NO_FILE = ConfigFile()


def build(
    flags: dict[str, object] | None = None, environ: dict[str, str] | None = None, file: str = ""
) -> StageSettings:
    config = parse_config(file, Path("barograph.toml")) if file else NO_FILE
    return build_settings(StageSettings, "aggregator", flags or {}, environ or {}, config)


def messages(
    flags: dict[str, object] | None = None, environ: dict[str, str] | None = None, file: str = ""
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        build(flags, environ, file)
    return [str(problem) for problem in caught.value.problems]


def test_without_any_source_the_defaults_hold() -> None:
    """No file and no variable are needed."""
    assert build() == StageSettings()


def test_flag_beats_environment_beats_file() -> None:
    """The order of sources, for one field."""
    file = "[aggregator]\ngrace_ms = 1\n"
    environ = {"BAROGRAPH_AGGREGATOR_GRACE_MS": "2"}
    assert build(file=file).grace_ms == 1
    assert build(environ=environ, file=file).grace_ms == 2
    assert build(flags={"grace_ms": "3"}, environ=environ, file=file).grace_ms == 3


def test_an_empty_variable_counts_as_absent() -> None:
    """Compose files pass ``${NAME:-}`` for variables that are not set."""
    assert build(environ={"BAROGRAPH_AGGREGATOR_GRACE_MS": ""}).grace_ms == 500


def test_every_kind_is_read_from_text() -> None:
    """Flags and variables are text; each becomes its type."""
    environ = {
        "GRACE_MS": "5s",
        "SHARE_RATIO": "0.25",
        "IS_ON": "Yes",
        "NAME": "y",
        "LEVEL": "high",
        "HOST": "here",
        "TAGS": "a, b,,",
        "TOKEN": "s3cret",
    }
    assert build(environ={f"BAROGRAPH_AGGREGATOR_{name}": text for name, text in environ.items()}) == StageSettings(
        grace_ms=5_000,
        share_ratio=0.25,
        is_on=True,
        name="y",
        level="high",
        host="here",
        tags=("a", "b"),
        token="s3cret",
    )


def test_every_kind_is_read_from_the_file() -> None:
    """TOML values of the right type are taken as they are; a duration may be text."""
    file = (
        '[aggregator]\ngrace_ms = "1m"\nshare_ratio = 2\nis_on = true\nname = "y"\nlevel = "high"\n'
        'host = "h"\ntags = ["b", "c"]\ntoken = "t"\n'
    )
    assert build(file=file) == StageSettings(
        grace_ms=60_000,
        share_ratio=2.0,
        is_on=True,
        name="y",
        level="high",
        host="h",
        tags=("b", "c"),
        token="t",
    )


def test_three_mistakes_in_a_file_are_one_error_with_their_lines() -> None:
    """Nobody mends a file one mistake at a time."""
    file = '[aggregator]\ngrace_ms = -1\n\n# why\nshare_ratio = "much"\ngrace_s = 5\n'
    assert messages(file=file) == [
        "barograph.toml:6: aggregator.grace_s: is not a setting; did you mean 'grace_ms'?",
        "barograph.toml:2: aggregator.grace_ms: must be between 0 and 60000, not -1",
        "barograph.toml:5: aggregator.share_ratio: must be a number, not 'much'",
    ]


def test_a_mistake_is_placed_at_the_source_it_came_from() -> None:
    """A flag, a variable and a line of the file, in one error."""
    found = messages(
        flags={"name": "z"},
        environ={"BAROGRAPH_AGGREGATOR_GRACE_MS": "soon"},
        file="[aggregator]\nis_on = 1\n",
    )
    assert found == [
        (
            "BAROGRAPH_AGGREGATOR_GRACE_MS: aggregator.grace_ms: must be a whole number of milliseconds"
            " or a duration: 'soon' is not a duration such as '250ms', '10s', '5m', '1h30m' or '2d'"
        ),
        "barograph.toml:2: aggregator.is_on: must be true or false, not 1",
        "--name: aggregator.name: must be one of x, y, not 'z'",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "grace_ms = true",
        "grace_ms = 1.5",
        "share_ratio = nan",
        "share_ratio = inf",
        "share_ratio = true",
        "name = 3",
        'tags = ["a", 1]',
        "tags = 1",
        'is_on = "maybe"',
        'level = "medium"',
    ],
)
def test_a_value_of_another_type_is_refused(line: str) -> None:
    """TOML's types are not bent."""
    assert len(messages(file=f"[aggregator]\n{line}\n")) == 1


def test_a_secret_never_stands_in_a_message() -> None:
    """A secret of the wrong type is named, not shown."""
    assert messages(file="[aggregator]\ntoken = 123456\n") == [
        "barograph.toml:2: aggregator.token: must be text in quotes, not what was given"
    ]


def test_a_field_without_default_must_be_given() -> None:
    """A required setting is reported at its section."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Required:
        target: str

    problems = find_problems(Required, "console", {}, {}, parse_config("[console]\n", Path("b.toml")))
    assert [str(problem) for problem in problems] == ["b.toml:1: console.target: must be given"]


def test_a_check_across_fields_is_a_problem_too() -> None:
    """A ``ValueError`` of the class itself joins the others."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Range:
        low: int = 2
        high: int = 1

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low must not exceed high")

    problems = find_problems(Range, "console", {}, {}, NO_FILE)
    assert [problem.message for problem in problems] == ["low must not exceed high"]


def test_flags_are_made_from_the_fields() -> None:
    """One definition serves the command line and the file."""
    parser = argparse.ArgumentParser()
    add_arguments(parser, ServerSettings, "server")
    add_arguments(parser, StageSettings, "aggregator")
    flags = vars(parser.parse_args(["--grace-ms", "7", "--no-is-on", "--tags", "q,r", "--url", "redis://h"]))
    assert build_settings(StageSettings, "aggregator", flags, {}, NO_FILE) == StageSettings(grace_ms=7, tags=("q", "r"))
    assert build_settings(ServerSettings, "server", flags, {}, NO_FILE).url == "redis://h"
    assert "BAROGRAPH_AGGREGATOR_GRACE_MS" in parser.format_help()


def test_the_common_section_has_short_variables() -> None:
    """``BAROGRAPH_URL`` is also what a producer reads."""
    assert variable_name("server", "url") == "BAROGRAPH_URL"
    assert variable_name("console", "port") == "BAROGRAPH_CONSOLE_PORT"


def test_a_bad_server_section_names_all_its_mistakes() -> None:
    """URL, prefix and shards are checked before anything connects."""
    environ = {"BAROGRAPH_URL": "localhost:6379", "BAROGRAPH_PREFIX": "a b", "BAROGRAPH_SHARDS": "0"}
    problems = find_problems(ServerSettings, "server", {}, environ, NO_FILE)
    assert [problem.key for problem in problems] == ["server.url", "server.prefix", "server.shards"]


def test_secrets_are_hidden_from_what_is_printed() -> None:
    """Neither a secret field nor the password of a URL is shown, in ``describe`` or in the repr."""
    server = ServerSettings(url="rediss://ann:p@ss@host:6380/0")
    assert describe(server)["url"] == "rediss://ann:***@host:6380/0"
    assert "p@ss" not in repr(server)
    shown = describe(StageSettings(token="t", tags=("redis://:pw@h",)))
    assert (shown["token"], shown["tags"]) == ("***", ["redis://:***@h"])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("unix:///run/redis.sock?db=1&password=x", "unix:///run/redis.sock?db=1&password=***"),
        ("https://hooks.test/a?token=t&x=1#f", "https://hooks.test/a?token=***&x=1#f"),
    ],
)
def test_a_url_keeps_all_but_its_secrets(url: str, shown: str) -> None:
    """What helps to find a mistake stays readable."""
    assert hide_password(url) == shown


def test_a_secret_may_stand_elsewhere(tmp_path: Path) -> None:
    """``env:`` and ``file:`` are followed; anything else is the secret itself."""
    file = tmp_path / "secret"
    file.write_text("from-file\n", encoding="utf-8")
    environ = {"NAME": "from-env", "BAROGRAPH_AGGREGATOR_TOKEN": f"file:{file}"}
    assert resolve_secret("env:NAME", environ) == "from-env"
    assert resolve_secret("plain:text", environ) == "plain:text"
    assert build(environ=environ) == StageSettings(token="from-file")


def test_a_secret_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a terminal or a device would hold up `check` and every start."""
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(ValueError, match=f"the file '{name}' is not a regular file"):
            resolve_secret(f"file:{name}", {})


@pytest.mark.parametrize("reference", ["env:NOT_SET", "env:", "file:", "file:/nowhere/at/all"])
def test_a_reference_to_nothing_is_a_problem(reference: str) -> None:
    """A secret that is missing stops the start, with the reference named."""
    (message,) = messages(environ={"BAROGRAPH_AGGREGATOR_TOKEN": reference})
    assert reference.partition(":")[2] in message


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, data: bytes) -> None:
    """Empty, binary and huge files are mistakes, and their content stays out of the message."""
    file = tmp_path / "secret"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"is empty or larger|is not UTF-8 text"):
        resolve_secret(f"file:{file}", {})


def test_a_type_that_settings_cannot_have_is_a_programming_error() -> None:
    """It shows in the first test of the stage, not at a user's."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Odd:
        thing: dict[str, str] = field(default_factory=dict[str, str])

    with pytest.raises(TypeError, match="'thing'"):
        find_problems(Odd, "console", {}, {}, NO_FILE)


@pytest.mark.parametrize("url", ["localhost", "http://host", "redis://host:notaport", "redis://host:99999"])
def test_a_url_that_cannot_be_read_is_a_wrong_setting(url: str) -> None:
    """The client library would raise it later, as a traceback."""
    with pytest.raises(SettingsError, match=r"server\.url"):
        build_settings(ServerSettings, "server", {"url": url}, {}, NO_FILE)
