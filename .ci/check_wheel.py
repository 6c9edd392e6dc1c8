"""Builds the wheel and tries it as a stranger would: a base install in an empty environment ships an event.

Usage: check_wheel.py SCRATCH_DIRECTORY, with the Python of an environment that holds barograph[dev].
"""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import redis

ROOT: Final = Path(__file__).resolve().parent.parent
STAGES: Final = ("core", "producer", "aggregator", "alerter", "notifier", "console", "cli")
HINT: Final = "pip install 'barograph[server]'"
# Package data that has to be in the wheel: hatchling obeys .gitignore, and one careless line there empties it.
DATA_SUFFIXES: Final = frozenset(
    {".lua", ".typed", ".html", ".css", ".js", ".svg", ".webmanifest", ".toml", ".csv", ".json"}
)
SHIP: Final = """
import sys
from importlib.util import find_spec
from barograph_producer import Producer
producer = Producer(service="wheel", url=sys.argv[1])
producer.request(route="/predict", method="POST", status=200, duration_ms=12.5)
producer.close()
for name in ("numpy", "fastapi", "jinja2"):
    assert find_spec(name) is None, f"a base install brought {name}"
"""


def build_wheel(folder: Path) -> Path:
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    (wheel,) = folder.glob("barograph-*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Compare what the wheel holds with the source roots: nothing more at the top, nothing less inside."""
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"barograph_{stage}" for stage in STAGES}
    top = {name.split("/")[0] for name in held}
    packages = {name for name in top if not name.endswith(".dist-info")}
    require(packages == wanted, f"the wheel's top level holds {sorted(packages)}, not {sorted(wanted)}")
    require(len(top - packages) == 1, f"one dist-info is wanted, not {sorted(top - packages)}")
    for stage in STAGES:
        source = ROOT / stage
        files = [path for path in source.rglob("*") if path.suffix in DATA_SUFFIXES | {".py"}]
        missing = {path.relative_to(source).as_posix() for path in files} - held
        require(not missing, f"the wheel lacks {sorted(missing)}")
        require(f"barograph_{stage}/py.typed" in held, f"barograph_{stage} has no py.typed")
    require(any(name.endswith(".lua") for name in held), "the wheel holds no function library")


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a real server on a socket file in ``folder`` and yield its URL."""
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = iter(process.stdout or ())
            require(any("ready to accept connections" in line.lower() for line in lines), "redis-server did not start")
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.communicate()


def check_base_install(wheel: Path, folder: Path) -> None:
    """Install the wheel alone, ship one event with it, and run its command."""
    venv.create(folder / "base", with_pip=True)
    scripts = folder / "base" / "bin"
    run(str(scripts / "pip"), "install", "--quiet", str(wheel))
    with server(folder) as url:
        run(str(Path(sys.executable).parent / "barograph"), "install", "--url", url)
        run(str(scripts / "python"), "-W", "error", "-c", SHIP, url)
        with redis.Redis.from_url(url) as client:
            entries = [fields for _, fields in client.xrange("baro:{0}:events")]
    # A sample of the process may be due before the producer closes, and is an entry of its own.
    requests = [fields for fields in entries if fields[b"kind"] == b"request"]
    require(len(requests) == 1, f"one entry of requests was to be shipped, not {entries}")
    require(requests[0][b"n"] == b"1", f"the entry was to hold one event: {requests[0]}")
    for arguments in ([], ["status"]):
        command = [str(scripts / "barograph"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).strip()
        require(done.returncode == 2, f"a base install's {command} exits {done.returncode}, not 2: {said}")
        require(HINT in said, f"a base install's {command} does not say {HINT}: {said}")


def run(*command: str) -> None:
    done = subprocess.run(command, check=False)
    require(done.returncode == 0, f"exit code {done.returncode}: {' '.join(command)}")


def require(is_so: bool, complaint: str) -> None:
    if not is_so:
        sys.exit(f"wheel check: {complaint}")


def main() -> None:
    folder = Path(sys.argv[1]).resolve() / "wheel"
    folder.mkdir()
    # Away from the sources, and from a barograph.toml that may lie beside them.
    os.chdir(folder)
    wheel = build_wheel(folder)
    check_contents(wheel)
    check_base_install(wheel, folder)
    size_kib = wheel.stat().st_size // 1024
    sys.stdout.write(f"{wheel.name}: {size_kib} KiB, ships an event without the server's packages\n")


if __name__ == "__main__":
    main()
