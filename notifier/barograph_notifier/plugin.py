"""Channels of others: ``type = "python:module:Class"``."""

import importlib
from collections.abc import Mapping
from typing import Final, cast

from barograph_notifier.channel import Channel

PLUGIN_PREFIX: Final = "python:"


def load_plugin(text: str, options: Mapping[str, object]) -> Channel:
    """Import ``module``, and make a ``Class`` with the entry's other keys as keyword arguments.

    Args:
        text: ``python:module:Class``.
        options: Secrets are resolved already.

    Raises:
        ValueError: It cannot be imported or made, or has no ``send``. Names the error's class only: its
            text may quote a secret.
    """
    module_name, _, class_name = text.removeprefix(PLUGIN_PREFIX).partition(":")
    if not module_name or not class_name.isidentifier():
        raise ValueError(f"{text!r} is not of the form 'python:module:Class'")
    try:
        factory = getattr(importlib.import_module(module_name), class_name)
    except AttributeError as error:
        raise ValueError(f"the module {module_name!r} has no {class_name!r}") from error
    except Exception as error:
        raise ValueError(f"the module {module_name!r} cannot be imported: {type(error).__name__}") from error
    try:
        channel = factory(**options)
    except Exception as error:
        raise ValueError(f"{class_name!r} refuses its settings: {type(error).__name__}") from error
    if not callable(getattr(channel, "send", None)):
        raise ValueError(f"{class_name!r} has no method 'send'")
    return cast("Channel", channel)
