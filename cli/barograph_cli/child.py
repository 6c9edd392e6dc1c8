"""Runs one stage as a child of ``up`` or ``demo``, and ends it when that parent is gone, however it went.

``python -m barograph_cli.child MODULE ARGUMENTS…`` runs MODULE as ``python -m`` would. Standard input is a pipe whose
other end only the parent holds: its end means that the parent has died, even by SIGKILL. The child then gets SIGTERM,
as if the parent had stopped it in good order, and is ended for good if that does not do.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
from typing import Final

_ORPHAN_GRACE_S: Final = 10.0


def end_with_parent() -> None:
    """Send this process SIGTERM when the pipe on standard input ends."""

    def wait_for_end() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=wait_for_end, name="end-with-parent", daemon=True).start()


def main(argv: list[str]) -> None:
    """Run the module ``argv[0]`` with the arguments that follow it."""
    end_with_parent()
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
