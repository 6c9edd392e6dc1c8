"""Loads settings: flag over environment over file over default, with all mistakes at once."""

import argparse
from collections.abc import Mapping
from typing import Final, TypeVar, cast

from barograph_core.errors import Problem, SettingsError
from barograph_core.settings.config_file import ConfigFile, suggestion
from barograph_core.settings.fields import SettingField, fields_of
from barograph_core.settings.secrets import HIDDEN, hide_password, resolve_secret

T = TypeVar("T")
SERVER_SECTION: Final = "server"


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
        flags: ``vars()`` of the parsed command line; names that are not fields are ignored.
        environ: Usually ``os.environ``.
        config: The configuration file.

    Raises:
        SettingsError: The section has mistakes; the error names all of them.
    """
    fields = fields_of(cls)
    values, problems = _read_fields(fields, section, flags, environ, config)
    problems = _unknown_keys(section, fields, config) + problems
    if problems:
        raise SettingsError(problems)
    try:
        return cls(**values)
    except ValueError as error:
        # Raised by the class itself, which checks fields that must fit together.
        raise SettingsError([Problem(config.where(section), section, str(error))]) from error


def find_problems(
    cls: type[object],
    section: str,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    config: ConfigFile,
) -> list[Problem]:
    """Return the problems that ``build_settings`` would raise, so that several sections can be checked at once."""
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
    """Return the values that were given, and a problem for each that is wrong."""
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
