"""Takes a changed configuration file into force while an alerter runs, if it has no mistake."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from barograph_alerter.rules.publishing import published_rules
from barograph_alerter.rules.rule import Rule
from barograph_core.errors import SettingsError

log = logging.getLogger(__name__)
# Modification time, size and inode; ``None`` while there is no such file.
_Signature: TypeAlias = tuple[int, int, int] | None


class RuleReloader:
    """The rules in force. A changed file replaces them; one with a mistake leaves them as they are.

    Attributes:
        rules: Those in force.
        problem: The mistakes of a file that was refused, with line and key; empty when there are none.
    """

    def __init__(self, path: Path | None, rules: Sequence[Rule], load: Callable[[], Sequence[Rule]]) -> None:
        """Begin with ``rules``, as they were read from ``path``.

        Args:
            path: The file; ``None``: there is none, so nothing can change.
            rules: The first ones.
            load: Reads the file again, or raises ``SettingsError``.
        """
        self.rules = tuple(rules)
        self.problem = ""
        self._path = path
        self._load = load
        self._read = self._seen = _signature(path)
        self._is_asked = False

    def ask(self) -> None:
        """Have the file read at the next look. Only sets a flag, so that a signal handler may call it."""
        self._is_asked = True

    def look(self) -> bool:
        """Say whether other rules are in force since the last look.

        A file that has changed is read when two looks have found it alike: an editor may still be writing it.
        """
        found = _signature(self._path)
        is_steady, self._seen = found == self._seen, found
        if not self._is_asked and (not is_steady or found == self._read):
            return False
        self._is_asked, self._read = False, found
        return self._take()

    def _take(self) -> bool:
        try:
            rules = tuple(self._load())
        except SettingsError as error:
            self.problem = "; ".join(map(str, error.problems))
            log.error("rules.refused", extra={"problems": self.problem, "kept": len(self.rules)})
            return False
        self.problem = ""
        before, after = published_rules(self.rules, 0), published_rules(rules, 0)
        if before.digest == after.digest:
            return False
        self.rules = rules
        changed = [one.name for one in after.rules if (old := before.find(one.name)) is not None and old != one]
        log.info(
            "rules.reloaded",
            extra={
                "rules": len(rules),
                "added": [one.name for one in after.rules if before.find(one.name) is None],
                "changed": changed,
                "removed": [one.name for one in before.rules if after.find(one.name) is None],
            },
        )
        return True


def _signature(path: Path | None) -> _Signature:
    try:
        facts = None if path is None else path.stat()
    except OSError:
        return None
    return None if facts is None else (facts.st_mtime_ns, facts.st_size, facts.st_ino)
