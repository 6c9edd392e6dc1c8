"""Hosts whose processes begin or end in ways of their own: uWSGI, multiprocessing, billiard (Celery) and RQ.

Each is asked only if the application has imported it.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Any, Final

log = logging.getLogger(__name__)

# After the finalisers of the process's queues and pools, which may wait for threads that still record.
_EXIT_PRIORITY: Final = -10
_uwsgi_seen: list[bool] = []


def on_worker_exit(action: Callable[[], None]) -> None:
    """Call ``action`` at the end of a worker process of ``multiprocessing`` or billiard, which skips ``atexit``."""
    for package in ("multiprocessing", "billiard"):
        process, util = sys.modules.get(f"{package}.process"), sys.modules.get(f"{package}.util")
        if process is None or util is None:
            continue
        worker: Any = process.current_process()
        # Not ``parent_process``, which billiard lacks.
        if worker.name == "MainProcess":
            continue
        util.Finalize(None, action, exitpriority=_EXIT_PRIORITY)
        # A worker of billiard's pool ends by ``os._exit`` when it has done its number of tasks, without finalisers.
        target = getattr(worker, "_target", None)
        if target is not None and hasattr(target, "on_exit"):
            target.on_exit = _followed_by(target.on_exit, action)
        return


def may_end_at_once() -> bool:
    """Say whether this process may end by ``os._exit`` right after this event: RQ's does so after each job.

    RQ names the job in the environment of its child, where callbacks and handlers of the worker record too.
    """
    return "rq.job" in sys.modules and "RQ_JOB_ID" in os.environ


def will_fork_unseen() -> bool:
    """Say whether this is uWSGI's master, whose forks do not hold the interpreter's lock.

    A thread that held that lock during the fork would leave the worker waiting for it for ever.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    return uwsgi is not None and uwsgi.masterpid() == os.getpid()


def follow_uwsgi(after_fork: Callable[[], None]) -> None:
    """Call ``after_fork`` in each worker of uWSGI, and warn once if uWSGI runs no threads of Python."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is None or _uwsgi_seen:
        return
    _uwsgi_seen.append(True)
    uwsgi.post_fork_hook = _preceded_by(getattr(uwsgi, "post_fork_hook", None), after_fork)
    options = getattr(uwsgi, "opt", {})
    if "enable-threads" not in options and "threads" not in options:
        log.warning(
            "producer.uwsgi_without_threads",
            extra={"reason": "uWSGI runs no background thread of Python: set enable-threads, or threads"},
        )


def _followed_by(first: Callable[..., object] | None, action: Callable[[], None]) -> Callable[..., None]:
    def on_exit(*args: object) -> None:
        try:
            if first is not None:
                first(*args)
        finally:
            action()

    return on_exit


def _preceded_by(last: Callable[[], object] | None, action: Callable[[], None]) -> Callable[[], None]:
    def after_fork() -> None:
        action()
        if last is not None:
            last()

    return after_fork
