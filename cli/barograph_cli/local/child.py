"""Runs one stage as a child of ``up`` or ``demo``, and ends it when that parent is gone, however it went.

``python -P -m barograph_cli.local.child MODULE ARGUMENTS…`` runs MODULE as ``python -P -m`` would. When the parent has
died the child gets SIGTERM, as if the parent had stopped it in good order, and is killed if that does not help.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

_ORPHAN_GRACE_S: Final = 10.0


def when_parent_ends(act: Callable[[], None]) -> None:
    """Call ``act`` in a thread of its own when the pipe on standard input ends.

    Only the parent holds the other end of the pipe, so its end means that the parent has died, even by SIGKILL.
    """

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        act()

    threading.Thread(target=wait_for_end, name="when-parent-ends", daemon=True).start()


def end() -> None:
    """Send this process SIGTERM, and kill it if it is still there ten seconds later."""
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_ORPHAN_GRACE_S)
    os._exit(1)


def main(argv: list[str]) -> None:
    """Run the module ``argv[0]`` with the arguments that follow it."""
    when_parent_ends(end)
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
