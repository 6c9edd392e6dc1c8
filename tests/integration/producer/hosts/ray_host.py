"""The real Ray Serve: ``ray_host.py PORT``, with the example on the path; SIGTERM ends it in order."""

import importlib
import signal
import sys
import threading
from types import FrameType

import ray  # pyright: ignore[reportMissingImports]  # large: only for the benchmark
from ray import serve  # pyright: ignore[reportMissingImports,reportUnknownVariableType]

is_told = threading.Event()


def stop(_number: int, _frame: FrameType | None) -> None:
    is_told.set()


ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
serve.run(importlib.import_module("ray_serve_app").deployment)
signal.signal(signal.SIGTERM, stop)
is_told.wait()
serve.shutdown()
ray.shutdown()
