"""A callback that RQ's child calls when the job is over, right before it ends by ``os._exit``."""

import importlib


def note_success(*_job_connection_result: object) -> None:
    importlib.import_module("rq_jobs").producer.observe("finished", 1)
