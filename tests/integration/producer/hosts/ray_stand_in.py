"""What Ray Serve does to an application, without Ray: ``ray_stand_in.py REPLICAS REQUESTS``.

Ray is too large for these tests; ``benchmarks/servers.py`` runs the real one. Like Ray's ``serve.ingress`` this makes
the instance of the class a dependency of its routes, and pickles the application when the class is decorated; like
Ray's controller it pickles the decorated class for each replica, a process that runs the application's lifespan.
"""

import copyreg
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import cloudpickle
from fastapi import Depends, FastAPI
from starlette.datastructures import State

REPLICA = """
import pickle, sys
from fastapi.testclient import TestClient
deployment = pickle.load(sys.stdin.buffer)
with TestClient(deployment.app) as client:
    for number in range(int(sys.argv[1])):
        assert client.post("/predict/" + "x" * (number % 9 + 1)).status_code == 200
"""


def ingress(app: FastAPI) -> Callable[[type], type]:
    def decorate(cls: type) -> type:
        make_class_based(app, cls)
        copied: FastAPI = cloudpickle.loads(cloudpickle.dumps(app))

        class Deployment(cls):  # type: ignore[misc]  # its base is known at run time
            app = copied

        return Deployment

    return decorate


def make_class_based(app: FastAPI, cls: type) -> None:
    """Let FastAPI fill in ``self``, which it would take for a parameter of the request."""
    for route in list(app.router.routes):
        endpoint: Any = getattr(route, "endpoint", None)
        if getattr(endpoint, "__qualname__", "").startswith(f"{cls.__qualname__}."):
            parameters = [one.replace(kind=one.KEYWORD_ONLY) for one in inspect.signature(endpoint).parameters.values()]
            parameters[0] = parameters[0].replace(default=Depends(cls))
            endpoint.__signature__ = inspect.Signature(parameters)
            app.router.routes.remove(route)
            app.add_api_route(route.path, endpoint, methods=list(route.methods))  # type: ignore[attr-defined]


class Bindable:
    def __init__(self, deployment: type) -> None:
        self.deployment = deployment

    def bind(self) -> type:
        return self.deployment


def deployment(*, num_replicas: int) -> Callable[[type], Bindable]:
    del num_replicas  # an argument of this script
    return Bindable


def main() -> None:
    replicas, requests = map(int, sys.argv[1:])
    # As Ray registers it: Starlette's own class cannot be unpickled.
    copyreg.pickle(State, lambda state: (State, (vars(state)["_state"],)))
    ray, serve = ModuleType("ray"), ModuleType("ray.serve")
    serve.__dict__.update(ingress=ingress, deployment=deployment)
    ray.__dict__["serve"] = serve
    sys.modules.update({"ray": ray, "ray.serve": serve})
    pickled = cloudpickle.dumps(importlib.import_module("ray_serve_app").deployment)
    command = [sys.executable, "-W", "ignore", "-c", REPLICA, str(requests)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(replicas)]
    for replica in running:
        replica.communicate(pickled, timeout=60)
    sys.exit(max(replica.returncode for replica in running))


if __name__ == "__main__":
    main()
