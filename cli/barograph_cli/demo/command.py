"""``barograph demo``: a real ML API under load, an incident, alerts that arrive, and the recovery."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console

from barograph_cli.demo.place import Place, drop_keys, make_place
from barograph_cli.demo.receiver import WebhookReceiver
from barograph_cli.demo.service_only import run_service_only
from barograph_cli.demo.show.performance import Performance
from barograph_cli.demo.show.summary import Summary, summary_lines
from barograph_cli.demo.show.view import LiveView, PlainView, View
from barograph_cli.failure import DONE
from barograph_cli.local.server import open_server
from barograph_cli.local.state_dir import default_state_dir, prepare_state_dir
from barograph_core.clock import SystemClock
from barograph_core.settings.config_file import ConfigFile
from barograph_core.settings.load import build_settings
from barograph_core.settings.server import ServerSettings
from barograph_core.text.durations import parse_duration_ms
from barograph_core.workers.process import stop_on_signals

_MIN_DURATION_MS: Final = 5_000
_MAX_DURATION_MS: Final = 24 * 3_600_000


def _duration(text: str) -> int:
    try:
        duration_ms = parse_duration_ms(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not _MIN_DURATION_MS <= duration_ms <= _MAX_DURATION_MS:
        raise argparse.ArgumentTypeError(f"{text!r} is not 5s to 24h")
    return duration_ms


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("must be 0 to 65535")
    return port


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of ``barograph demo``."""
    parser = argparse.ArgumentParser(
        prog="barograph demo",
        description="Watch a real ML API under load go through an incident and recover. "
        "Without --duration it runs until Ctrl-C, and the incident comes back every two minutes.",
    )
    parser.add_argument("--duration", type=_duration, help="end by itself after this long: 60s, 5m (at least 5s)")
    parser.add_argument("--state-dir", type=Path, help="each run makes a directory of its own below it")
    parser.add_argument("--host", default="127.0.0.1", help="where the console listens (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="where the console listens (default 8642, or a free port)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--url", help="use this server, under keys of the demo's own, instead of an embedded one")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, all else on standard error")
    parser.add_argument(
        "--service-only",
        action="store_true",
        help="run only the API and its load; --host and --port are then the API's (default 127.0.0.1:8000), "
        "--url or BAROGRAPH_URL the server's",
    )
    return parser


def run(argv: list[str]) -> int:
    """Run ``barograph demo``."""
    arguments = make_parser().parse_args(argv)
    if arguments.service_only:
        environ = os.environ if arguments.url is None else {**os.environ, "BAROGRAPH_URL": arguments.url}
        return run_service_only(arguments.host, 8000 if arguments.port is None else arguments.port, environ)
    # Only the flag names a server: a barograph.toml here, or BAROGRAPH_URL, may name one that people rely on.
    settings = build_settings(ServerSettings, "server", {"url": arguments.url}, {}, ConfigFile())
    state_dir = prepare_state_dir(arguments.state_dir or default_state_dir(os.environ))
    place = make_place(state_dir, settings, host=arguments.host, port=arguments.port, is_named=bool(arguments.url))
    print(
        f"The page: {place.page_url}\nbarograph demo: starting a server, the four stages and an ML API …",
        file=sys.stderr if arguments.json else sys.stdout,
        flush=True,
    )
    summary = _perform(place, arguments.duration, is_json=arguments.json, is_opened=arguments.open)
    if summary is None:
        return DONE
    _print_summary(summary, is_json=arguments.json)
    return summary.exit_code


def _perform(place: Place, duration_ms: int | None, *, is_json: bool, is_opened: bool) -> Summary | None:
    """Run the demo; ``None`` when it was stopped before the load began."""
    clock, stop = SystemClock(), stop_on_signals()
    with WebhookReceiver() as receiver:
        place.write_config(receiver.url)
        server = open_server(place.settings, place.directory, is_named=place.is_named, clock=clock)
        try:
            performance = Performance(place, server, receiver, clock, stop)
            return performance.run(_view(is_json=is_json), duration_ms, is_opened=is_opened)
        finally:
            if place.is_named:
                drop_keys(server.settings)
            server.stop()


def _view(*, is_json: bool) -> View:
    console = Console(stderr=is_json, highlight=False)
    return LiveView(console) if console.is_terminal else PlainView(sys.stderr if is_json else sys.stdout)


def _print_summary(summary: Summary, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({**asdict(summary), "exit_code": summary.exit_code}, indent=2), flush=True)
        return
    lines: Sequence[str] = ["", *summary_lines(summary)]
    print("\n".join(lines), flush=True)
