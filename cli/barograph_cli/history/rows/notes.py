"""What a reader of rows leaves out or changes, for the report."""

from dataclasses import dataclass, field
from typing import Final

_MOST_NAMES: Final = 20


@dataclass(slots=True)
class Notes:
    """Counts and names of one import.

    Attributes:
        labels_cut: Labels that were longer than a label may be.
        unread: Fields of rows that nothing is known about, each with what can be done; some of them if there are many.
    """

    labels_cut: int = 0
    unread: dict[str, str] = field(default_factory=dict[str, str])

    def add_unread(self, name: str, advice: str = "") -> None:
        if len(self.unread) < _MOST_NAMES:
            self.unread.setdefault(name, advice)

    def clear(self) -> None:
        """Begin again."""
        self.labels_cut = 0
        self.unread.clear()
