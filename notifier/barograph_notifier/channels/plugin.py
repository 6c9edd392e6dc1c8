"""Loads a channel of your own: ``type = "python:module:Class"``, or the name of an entry point.

A configuration may come from somebody else. So the class is looked for in the module's source before anything of it
runs, and is called only if it is a channel: ``python:os:system`` names a callable too.
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Final, TypeAlias, cast

from barograph_core.settings.table_entry import TableEntry
from barograph_notifier.channel import Channel
from barograph_notifier.channels.plugin_source import find_source_problem

PLUGIN_PREFIX: Final = "python:"
# A package makes a type known by an entry point of this group: name = "module:Class".
ENTRY_POINT_GROUP: Final = "barograph.channels"

# Makes the channel of a type and its options, or only looks whether it could; raises ValueError with what is wrong.
PluginMaker: TypeAlias = Callable[[str, Mapping[str, object]], Channel | None]


def installed_plugins() -> dict[str, str]:
    """Return the types that installed packages add, each with its ``python:module:Class``."""
    found = entry_points(group=ENTRY_POINT_GROUP)
    return {point.name: f"{PLUGIN_PREFIX}{point.module}:{point.attr}" for point in found}


def read_plugin(entry: TableEntry, kind: str, make: PluginMaker) -> Channel | None:
    """Return the channel of ``kind``, ``python:module:Class``, or ``None`` after recording its mistakes in ``entry``.

    Every key that is not common to all channels goes to the class, secrets resolved.
    """
    options = entry.take_rest(are_secrets=True)
    if entry.has_problems:
        return None
    try:
        return make(kind, options)
    except ValueError as error:
        entry.add_problem("type", str(error))
    return None


def look_at_plugin(text: str, _options: Mapping[str, object]) -> None:
    """Check as far as it goes without running anything of the module.

    Raises:
        ValueError: There is no such module, or its source has no such class or one without ``send``.
    """
    module_name, class_name = _names(text)
    loaded = vars(sys.modules[module_name]) if module_name in sys.modules else {}
    if class_name in loaded:
        _check_class(loaded[class_name], class_name)
        return
    problem = find_source_problem(module_name, class_name)
    if problem:
        raise ValueError(problem)


def load_plugin(text: str, options: Mapping[str, object]) -> Channel:
    """Import the module of ``text``, ``python:module:Class``, and call ``Class`` with ``options`` as keyword arguments.

    Raises:
        ValueError: The class cannot be imported or called, or is no channel. The message names only the class of the
            error: its text may quote a secret.
    """
    look_at_plugin(text, options)
    module_name, class_name = _names(text)
    try:
        factory = getattr(importlib.import_module(module_name), class_name)
    except AttributeError as error:
        raise ValueError(f"the module {module_name!r} has no {class_name!r}") from error
    # SystemExit: a script that ends where it is imported.
    except (Exception, SystemExit) as error:
        raise ValueError(f"the module {module_name!r} cannot be imported: {type(error).__name__}") from error
    _check_class(factory, class_name)
    try:
        return cast("Channel", factory(**options))
    except Exception as error:
        raise ValueError(f"{class_name!r} refuses its settings: {type(error).__name__}") from error


def _names(text: str) -> tuple[str, str]:
    module_name, _, class_name = text.removeprefix(PLUGIN_PREFIX).partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), class_name)):
        raise ValueError(f"{text!r} is not of the form 'python:module:Class'")
    return module_name, class_name


def _check_class(factory: object, class_name: str) -> None:
    if not isinstance(factory, type):
        raise ValueError(f"{class_name!r} is not a class")
    send = getattr(factory, "send", None)
    if not callable(send):
        raise ValueError(f"{class_name!r} has no method 'send'")
    try:
        inspect.signature(send).bind(None, None, key="", timeout_s=1.0)
    # ValueError: of a method written in C the arguments are not known.
    except (TypeError, ValueError):
        raise ValueError(f"'send' of {class_name!r} does not take (notification, *, key, timeout_s)") from None
