"""The error by which a command says that it cannot go on."""

from typing import Final

from barograph_core.errors import BarographError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2


class CommandError(BarographError):
    """A command cannot go on. ``main`` prints the message and ends with ``exit_code``.

    Attributes:
        exit_code: ``FAILED``, or ``USAGE`` when the command line, the settings or the platform are to blame.
    """

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        self.exit_code = exit_code
        super().__init__(message)
