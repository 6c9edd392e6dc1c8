"""A progress bar on a terminal, and nothing elsewhere."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Shows the progress of the work."""

    def __call__(self, done: float, text: str) -> None:
        """Show that ``done`` of the total is done, with ``text`` next to it."""
        ...


@contextmanager
def shown_progress(what: str, total: float | None) -> Generator[Advance, None, None]:
    """Show a bar on standard error while the block runs, if that is a terminal.

    Args:
        what: Label of the bar.
        total: Final value of ``done``; ``None`` when it is unknown.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _show_nothing
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total, text="")

        def advance(done: float, text: str) -> None:
            bar.update(task, completed=done, text=text)

        yield advance


def _show_nothing(done: float, text: str) -> None:
    del done, text
