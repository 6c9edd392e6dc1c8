"""What the web page costs a browser: bytes, processor time of its main thread, frames.

The console's page against a console that plays an incident (``tests/browser``), then charts alone: six charts of three
lines with 360 points, redrawn once a second, in our strips and in three packages. Processor time is that of the
renderer's main thread from ``/proc``, not wall time, so other work on the machine matters little.

The packages are fetched by npm into a folder of the moment, and are not part of the repository; without npm, or with
one missing, that line is left out and said so. Needs Debian's chromium.

Usage: python benchmarks/page_cost.py [--seconds 20] [--npm FOLDER]
"""

import argparse
import functools
import gzip
import http.server
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.browser.fake_console import PAGE, FakeConsole
from tests.browser.ranker import Ranker

from barograph_console.page.assets import Asset, load_assets

CHARTS: Final = Path(__file__).parent / "page_charts"
# Package, and the smallest file of it that a page can load; a page here loads the same as a module.
PEERS: Final = {
    "uplot": ("uplot", "dist/uPlot.iife.min.js"),
    "lightweight": ("lightweight-charts", "dist/lightweight-charts.standalone.production.mjs"),
    "plotly": ("plotly.js-basic-dist-min", "plotly-basic.min.js"),
}
FRAMES: Final = """async (seconds) => {
  const times = [];
  const end = performance.now() + seconds * 1000;
  await new Promise((done) => {
    const next = (now) => { times.push(now); if (now < end) requestAnimationFrame(next); else done(); };
    requestAnimationFrame(next);
  });
  const gaps = times.slice(1).map((at, i) => at - times[i]);
  return [gaps.length / ((times.at(-1) - times[0]) / 1000), Math.max(...gaps)];
}"""


@dataclass(frozen=True)
class Cost:
    """What one page took: ms to load and draw, ms of each second after that."""

    load_ms: float
    each_second_ms: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="how long each page is watched")
    parser.add_argument(
        "--npm", type=Path, help="a folder with node_modules of the packages, in place of fetching them"
    )
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("page_cost.py needs Debian's chromium")
    print_weight()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        modules = (options.npm or fetch_packages(Path(folder))) / "node_modules"
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        measure_page(browser, options.seconds)
        measure_charts(browser, modules, options.seconds)
        browser.close()


def print_weight() -> None:
    assets = load_assets(PAGE)
    page = assets.pages["index.html"]
    first = [page, *(asset for name, asset in assets.hashed.items() if f'"/static/{name}"' in page.body.decode())]
    later = [asset for name, asset in assets.hashed.items() if "later.joined" in name]

    def size(of: list[Asset]) -> float:
        return sum(len(asset.gzipped or asset.body) for asset in of) / 1024

    print(f"page, gzipped: {size(first):.1f} KB for the first screen, {size(later):.1f} KB that follow")


def fetch_packages(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: the packages are left out")
        return folder
    for package, _ in PEERS.values():
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--prefix", folder, package], capture_output=True, check=False
        )
        if done.returncode:
            print(f"{package} could not be fetched and is left out")
    return folder


def measure_page(browser: Browser, seconds: int) -> None:
    console = FakeConsole(Ranker(begun_ms=time.time_ns() // 1_000_000))
    with console.running():
        cost, page = watch(browser, f"{console.url}/?service=ranker", re.compile(r"^\(\d+\) ranker"), seconds)
        rate, longest_ms = page.evaluate(FRAMES, 10)
        page.context.close()
    print(f"whole page: {cost.load_ms:.0f} ms to load and draw, {cost.each_second_ms:.1f} ms a second at 1 Hz")
    print(f"whole page: {rate:.0f} frames a second, the longest {longest_ms:.0f} ms")


def measure_charts(browser: Browser, modules: Path, seconds: int) -> None:
    print("six charts of three lines with 360 points: KB gzipped, ms to load and draw, ms a second at 1 Hz")
    with served(modules) as url:
        for name in ("own", *PEERS):
            kilobytes = chart_weight(name, modules)
            if kilobytes is None:
                print(f"  {name}: not there")
                continue
            cost, page = watch(browser, f"{url}/{name}.html", re.compile("^drawn$"), seconds)
            page.context.close()
            print(f"  {name:12} {kilobytes:6.1f} {cost.load_ms:6.0f} {cost.each_second_ms:6.1f}")


def chart_weight(name: str, modules: Path) -> float | None:
    if name == "own":
        files = [PAGE / "js" / "charts" / f"{module}.js" for module in ("axis", "paper", "strip")]
    else:
        package, file = PEERS[name]
        files = [modules / package / file]
    if not all(file.exists() for file in files):
        return None
    return sum(len(gzip.compress(file.read_bytes(), 9)) for file in files) / 1024


@contextmanager
def served(modules: Path) -> Iterator[str]:
    """Serve the charts, our modules and the packages from a port of the moment."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def guess_type(self, path: str | PathLike[str]) -> str:
            return "text/javascript" if str(path).endswith((".js", ".mjs")) else super().guess_type(path)

        def translate_path(self, path: str) -> str:
            path = path.partition("?")[0]
            for begin, folder in (("/page/", PAGE), ("/npm/", modules)):
                if path.startswith(begin):
                    return str(folder / path.removeprefix(begin))
            return str(CHARTS / path.removeprefix("/"))

        def do_GET(self) -> None:
            if not self.path.endswith(".html"):
                return super().do_GET()
            name = Path(self.path).stem
            script = f'<script type="module" src="/{name}.js"></script>'
            body = f'<!doctype html><link rel="stylesheet" href="/page/style.css"><body>{script}'
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())
            return None

        def log_message(self, *args: object) -> None:
            del args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def watch(browser: Browser, url: str, title: re.Pattern[str], seconds: int) -> tuple[Cost, Page]:
    """Open a page, and follow the main thread of the process that draws it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    before = readings(browser)
    page.goto(url)
    deadline = time.monotonic() + 30
    while not title.search(page.title()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{url} was not drawn within 30 s")
        time.sleep(0.02)
    time.sleep(0.5)
    loaded = readings(browser)
    # Which process it is only shows now: a browser may change it with the first document.
    process = renderer_of(browser, page)
    load_ms = loaded[process] - before.get(process, 0.0)
    time.sleep(2)
    quiet = main_thread_ms(process)
    time.sleep(seconds)
    return Cost(load_ms, (main_thread_ms(process) - quiet) / seconds), page


def readings(browser: Browser) -> dict[int, float]:
    return {process: main_thread_ms(process) for process in renderers(browser)}


def renderer_of(browser: Browser, page: Page) -> int:
    """Return the process that draws a page: the one that is busy when the page is."""
    before = readings(browser)
    page.evaluate("() => { const end = performance.now() + 300; while (performance.now() < end); }")
    return max(before, key=lambda process: main_thread_ms(process) - before[process])


def renderers(browser: Browser) -> set[int]:
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return {int(process["id"]) for process in found if process["type"] == "renderer"}


def main_thread_ms(process: int) -> float:
    """Return the processor time of the main thread so far."""
    return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[0]) / 1e6


if __name__ == "__main__":
    main()
