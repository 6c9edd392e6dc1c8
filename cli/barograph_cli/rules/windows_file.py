"""Reads labelled windows: the times in which something was known to fail."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from barograph_alerter.trial.episodes import LabelledWindow
from barograph_cli.failure import USAGE, CommandError
from barograph_core.events.kinds import is_service_name
from barograph_core.text.timestamps import iso_ms

_FORM = 'a list of [from, to], or {"service": [[from, to], …]}, with moments in ISO 8601 or milliseconds'


def read_windows(name: str) -> list[LabelledWindow]:
    """Return the windows of a JSON file, ascending.

    Args:
        name: Its path. After a ``#``: the key of the list that is meant, as in NAB's ``combined_windows.json``.

    Raises:
        CommandError: It cannot be read, or has another form.
    """
    path, _, key = name.partition("#")
    try:
        content: object = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"--against: cannot read {path}: {error.strerror or error}", USAGE) from error
    except ValueError as error:
        raise CommandError(f"--against: {path} is not JSON: {error}", USAGE) from error
    lists = cast("Mapping[str, object]", content) if isinstance(content, dict) else {"": content}
    if key:
        if key not in lists:
            raise CommandError(f"--against: {path} has no key {key!r}", USAGE)
        lists = {"": lists[key]}
    windows: list[LabelledWindow] = []
    for service, pairs in lists.items():
        if service and not is_service_name(service):
            raise CommandError(f"--against: {service!r} is no service: write {path}#{service} for its windows", USAGE)
        if not isinstance(pairs, list):
            raise CommandError(f"--against: {path} is not {_FORM}", USAGE)
        windows += [_window(path, pair, service) for pair in cast("list[object]", pairs)]
    return sorted(windows, key=lambda window: window.from_ms)


def _window(path: str, pair: object, service: str) -> LabelledWindow:
    ends = cast("Sequence[object]", pair) if isinstance(pair, list) else ()
    try:
        from_ms, to_ms = (_moment_ms(end) for end in ends)
    except (ValueError, TypeError) as error:
        raise CommandError(f"--against: {path}: {pair!r} is no window: the file must be {_FORM}", USAGE) from error
    if from_ms >= to_ms:
        raise CommandError(f"--against: {path}: {pair!r} ends before it begins", USAGE)
    return LabelledWindow(from_ms, to_ms, (service,) if service else ())


def _moment_ms(value: object) -> int:
    return iso_ms(value.replace(" ", "T")) if isinstance(value, str) else int(cast("int", value))
