"""The one loader of settings: flag over environment over file over default, all mistakes at once."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from barograph_core.config_file import ConfigFile, check_sections, load_config, parse_config, suggestion
from barograph_core.errors import Problem, SettingsError
from barograph_core.keys import DEFAULT_PREFIX, ShardKeys
from barograph_core.secret_refs import HIDDEN, hide_password, resolve_secret
from barograph_core.server_url import parse_server_url
from barograph_core.setting_fields import SettingField, fields_of
from barograph_core.steps import DEFAULT_KEEP, Step, parse_keep

__all__ = [
    "ConfigFile",
    "ServerSettings",
    "add_arguments",
    "build_settings",
    "check_sections",
    "describe",
    "find_problems",
    "hide_password",
    "load_config",
    "parse_config",
    "resolve_secret",
    "suggestion",
    "variable_name",
]

T = TypeVar("T")
DEFAULT_URL: Final = "redis://127.0.0.1:6379/0"
SERVER_SECTION: Final = "server"


def _check_url(value: object) -> str:
    try:
        parse_server_url(str(value))
    except ValueError as error:
        return f"must be a URL such as {DEFAULT_URL!r}: {error}"
    return ""


def _check_prefix(value: object) -> str:
    try:
        ShardKeys(prefix=str(value))
    except ValueError as error:
        return str(error)
    return ""


def _check_keep(value: object) -> str:
    try:
        parse_keep(str(value))
    except ValueError as error:
        return str(error)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What every stage must agree on: the section ``[server]``."""

    # May hold a password, hence no repr; `describe` hides only the password.
    url: str = field(
        default=DEFAULT_URL,
        repr=False,
        metadata={
            "help": "the server that holds the streams",
            "check": _check_url,
            "reference": True,
        },
    )
    prefix: str = field(default=DEFAULT_PREFIX, metadata={"help": "how every key begins", "check": _check_prefix})
    shards: int = field(
        default=1,
        metadata={
            "help": "parts over which services are spread, until a layout is written",
            "minimum": 1,
            "maximum": 256,
        },
    )
    keep: str = field(
        default=DEFAULT_KEEP,
        metadata={"help": "steps and how long their panes are kept, fine to coarse", "check": _check_keep},
    )

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return what ``keep`` says: aggregators write these steps, alerters and consoles read them."""
        return parse_keep(self.keep)


def variable_name(section: str, name: str) -> str:
    """Return the environment variable of a field: ``BAROGRAPH_URL``, ``BAROGRAPH_AGGREGATOR_GRACE_MS``."""
    inner = "" if section == SERVER_SECTION else f"{section.upper()}_"
    return f"BAROGRAPH_{inner}{name.upper()}"


def add_arguments(parser: argparse.ArgumentParser, cls: type[object], section: str = "") -> None:
    """Add one flag per field of the settings class ``cls``: ``grace_ms`` becomes ``--grace-ms``.

    Values stay text, ``None`` where not given: ``build_settings`` reads them and names all mistakes at once.
    Where ``section`` is given, the help names the environment variables too.
    """
    for item in fields_of(cls):
        flag = f"--{item.name.replace('_', '-')}"
        text = _help_text(item, section).replace("%", "%%")
        if item.kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, dest=item.name, help=text)
        else:
            metavar = "{" + ",".join(item.choices) + "}" if item.choices else item.name.upper()
            parser.add_argument(flag, default=None, dest=item.name, metavar=metavar, help=text)


def build_settings(
    cls: type[T], section: str, flags: Mapping[str, object], environ: Mapping[str, str], config: ConfigFile
) -> T:
    """Return the settings ``cls`` of ``section``: flag over environment over file over default.

    An empty environment variable counts as absent, a flag of ``None`` as not given. ``_ms`` fields also take
    ``"5m"``. Fields marked secret or reference take ``env:NAME`` and ``file:path`` (``resolve_secret``).

    Args:
        cls: A frozen, keyword-only dataclass of int, float, bool, str, literal strings, tuples of str and
            optional forms of these. Field metadata: ``minimum``, ``maximum``, ``choices``, ``help``,
            ``secret``, ``reference``, ``check`` (a function: value -> what is wrong with it, or "").
        section: The table of the file; ``server`` for what all stages share.
        flags: ``vars()`` of the parsed command line; names that are no field are passed over.
        environ: Usually ``os.environ``.
        config: What ``load_config`` returned.

    Raises:
        SettingsError: With every mistake in this section.
    """
    fields = fields_of(cls)
    values, problems = _read_fields(fields, section, flags, environ, config)
    problems = _unknown_keys(section, fields, config) + problems
    if problems:
        raise SettingsError(problems)
    try:
        return cls(**values)
    except ValueError as error:
        # The class's own check of fields that must fit together.
        raise SettingsError([Problem(config.where(section), section, str(error))]) from error


def find_problems(
    cls: type[object],
    section: str,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    config: ConfigFile,
) -> list[Problem]:
    """Return what ``build_settings`` would complain of, so that several sections can be checked at once."""
    try:
        build_settings(cls, section, flags, environ, config)
    except SettingsError as error:
        return list(error.problems)
    return []


def describe(settings: object) -> dict[str, object]:
    """Return the settings as a dict that is safe to print: no secret field, no password inside a URL."""
    shown: dict[str, object] = {}
    for item in fields_of(type(settings)):
        value: object = getattr(settings, item.name)
        if item.is_secret and value:
            value = HIDDEN
        elif isinstance(value, str):
            value = hide_password(value)
        elif isinstance(value, tuple):
            value = [hide_password(str(part)) for part in cast("tuple[object, ...]", value)]
        shown[item.name] = value
    return shown


def _unknown_keys(section: str, fields: list[SettingField], config: ConfigFile) -> list[Problem]:
    names = [item.name for item in fields]
    return [
        Problem(config.where(section, key), f"{section}.{key}", f"is not a setting{suggestion(key, names)}")
        for key in config.table(section)
        if key not in names
    ]


def _read_fields(
    fields: list[SettingField],
    section: str,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    config: ConfigFile,
) -> tuple[dict[str, object], list[Problem]]:
    """Return the values that were given, and what is wrong with the others."""
    values: dict[str, object] = {}
    problems: list[Problem] = []
    for item in fields:
        given = _given(item, section, flags, environ, config)
        if given is None:
            if item.default is None:
                problems.append(Problem(config.where(section), f"{section}.{item.name}", "must be given"))
            continue
        where, raw = given
        try:
            values[item.name] = item.read(_resolved(item, raw, environ))
        except ValueError as error:
            problems.append(Problem(where, f"{section}.{item.name}", str(error)))
    return values, problems


def _given(
    item: SettingField,
    section: str,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    config: ConfigFile,
) -> tuple[str, object] | None:
    """Return where the strongest value of a field comes from and that value, or ``None`` without one."""
    flag = flags.get(item.name)
    if flag is not None:
        return f"--{item.name.replace('_', '-')}", flag
    variable = variable_name(section, item.name)
    if environ.get(variable):
        return variable, environ[variable]
    table = config.table(section)
    if item.name in table:
        return config.where(section, item.name), table[item.name]
    return None


def _resolved(item: SettingField, raw: object, environ: Mapping[str, str]) -> object:
    if item.is_reference and isinstance(raw, str):
        return resolve_secret(raw, environ)
    return raw


def _help_text(item: SettingField, section: str) -> str:
    notes = [item.help] if item.help else []
    if item.default is not None and not item.is_secret:
        notes.append(f"default {item.default}")
    if section:
        notes.append(variable_name(section, item.name))
    return "; ".join(notes)
