"""``barograph token``: the tokens that open the console, made, listed and revoked."""

import argparse
import json
import os
import sys
from typing import Final

from rich.console import Console
from rich.table import Table

from barograph_cli.command_line import parse_action
from barograph_cli.failure import DONE, USAGE, CommandError
from barograph_cli.options import add_server_arguments, read_server_options
from barograph_core.access.access_store import AccessStore
from barograph_core.access.token import Role, Token, is_token_name, new_token
from barograph_core.clock import Clock, SystemClock
from barograph_core.text.durations import parse_duration_ms
from barograph_core.text.timestamps import format_timestamp

_NEVER: Final = "never"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="barograph token",
        description="Tokens that open the console. As soon as there is one, every request needs one.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    create = actions.add_parser(
        "create",
        help="make a token and print it once",
        description="Make a token. It is printed once; its hash is kept.",
    )
    create.add_argument("--name", required=True, help="whose it is: 1 to 64 of A-Z a-z 0-9 . _ @ -")
    create.add_argument(
        "--role",
        required=True,
        choices=[role.value for role in Role],
        help="read: see everything; admin: do everything; ingest: send events, markers; alerts: Alertmanager's API",
    )
    create.add_argument("--expires", default="", metavar="90d", help="from when on it is refused; default: never")
    listing = actions.add_parser("list", help="the tokens there are", description="The tokens there are, oldest first.")
    revoke = actions.add_parser(
        "revoke", help="refuse a token from now on", description="Refuse a token. Its sessions end within 5 seconds."
    )
    revoke.add_argument("id", metavar="ID", help="as `barograph token list` shows it")
    for one in (create, listing, revoke):
        add_server_arguments(one)
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _create(store: AccessStore, arguments: argparse.Namespace, clock: Clock) -> int:
    if not is_token_name(arguments.name):
        raise CommandError(f"{arguments.name!r} is no name for a token: 1 to 64 of A-Z a-z 0-9 . _ @ -", USAGE)
    now_ms = clock.now_ms()
    secret, token = new_token(
        arguments.name, Role(arguments.role), now_ms=now_ms, expires_ms=_expiry_ms(arguments.expires, now_ms)
    )
    store.add_token(token)
    if arguments.json:
        print(json.dumps({"token": secret, **_document(token, "")}))
    else:
        print(secret)
        print(f"id {token.token_id}, role {token.role.value}, expires {_expiry_text(token)}", file=sys.stderr)
        print("This is the only time that it is shown.", file=sys.stderr)
    return DONE


def _expiry_ms(text: str, now_ms: int) -> int:
    try:
        lasts_ms = parse_duration_ms(text) if text else 0
    except ValueError as error:
        raise CommandError(f"--expires: {error}", USAGE) from error
    if text and not lasts_ms:
        raise CommandError("--expires: it would be refused at once", USAGE)
    return now_ms + lasts_ms if lasts_ms else 0


def _list(store: AccessStore, arguments: argparse.Namespace) -> int:
    tokens, used = store.tokens(), store.used_days()
    if arguments.json:
        print(json.dumps([_document(token, used.get(token.token_id, "")) for token in tokens]))
        return DONE
    table = Table(box=None, pad_edge=False)
    for title in ("id", "name", "role", "created", "expires", "last used"):
        table.add_column(title, header_style="dim", no_wrap=True)
    for token in tokens:
        created, day = format_timestamp(token.created_ms), used.get(token.token_id, "-")
        table.add_row(token.token_id, token.name, token.role.value, created, _expiry_text(token), day)
    Console(highlight=False).print(table)
    return DONE


def _document(token: Token, used_day: str) -> dict[str, object]:
    return {
        "id": token.token_id,
        "name": token.name,
        "role": token.role.value,
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
        "last_used": used_day,
    }


def _expiry_text(token: Token) -> str:
    return format_timestamp(token.expires_ms) if token.expires_ms else _NEVER


def _revoke(store: AccessStore, arguments: argparse.Namespace) -> int:
    if not store.revoke(arguments.id):
        raise CommandError(f"there is no token {arguments.id!r}; `barograph token list` names them")
    if arguments.json:
        print(json.dumps({"id": arguments.id}))
    else:
        print(f"Token {arguments.id} is revoked. Its sessions end within 5 seconds.")
    return DONE


def run(argv: list[str]) -> int:
    """Run ``barograph token``."""
    arguments = parse_action(_parser(), argv)
    options = read_server_options(arguments, os.environ)
    connection = options.connect("barograph-token")
    try:
        store = AccessStore(connection, options.server.prefix)
        if arguments.action == "create":
            return _create(store, arguments, SystemClock())
        return _list(store, arguments) if arguments.action == "list" else _revoke(store, arguments)
    finally:
        connection.close()
