"""Writes what people do to alerts: ``baro_act_1``, once for each request however often it is sent."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from barograph_core.alerts.by_hand import HandChange, NotApplicableError
from barograph_core.alerts.change import NO_TRIM_MS
from barograph_core.alerts.reason import RESOLVED_BY_HAND
from barograph_core.alerts.record import AlertRecord, json_text
from barograph_core.alerts.state import ServiceState, alert_field
from barograph_core.keyspace.keys import ShardKeys
from barograph_core.keyspace.layout import Layout
from barograph_core.server.connection import Connection
from barograph_core.server.link import Value
from barograph_core.server.replies import as_bytes, as_int, as_list, as_text

_ATTEMPTS: Final = 20
# How long a request is remembered by its key.
ONCE_MS: Final = 86_400_000


class AlertNotFoundError(LookupError):
    """No alert has this id."""


class AlertConflictError(Exception):
    """It cannot be done: the alert is in another state, or it kept changing."""


class AlertStateError(AlertConflictError):
    """The alert is in a state in which it cannot be done; to ask again changes nothing."""


class KeyReusedError(AlertConflictError):
    """The key of the request stands for another one."""


@dataclass(frozen=True, slots=True)
class Once:
    """Makes a request apply once, also when its answer was lost and it is sent again within a day.

    Attributes:
        key: Of the request, hashed: 32 hex digits.
        request: Hash of what is asked, 32 hex digits: the same key with another request is a mistake.
    """

    key: str
    request: str

    @classmethod
    def of(cls, who: str, key: str, asked: object) -> "Once":
        """Return it for a key that ``who`` gave, and what they ask as plain values for JSON."""
        return cls(_digest(f"{who}\n{key}"), _digest(json_text(asked)))


@dataclass(frozen=True, slots=True)
class Applied:
    """A request that is applied.

    Attributes:
        transition: Id of the entry on the alerts stream.
        record: The alert from now on; ``None`` when the request was applied before and the alert is gone since.
    """

    transition: str
    record: AlertRecord | None


def apply_by_hand(
    connection: Connection,
    layout: Layout,
    alert_id: str,
    decide: Callable[[AlertRecord], HandChange],
    once: Once | None = None,
) -> Applied:
    """Change one alert as ``decide`` says, against the state as it is when the change is written.

    Args:
        connection: To the server.
        layout: Where the services are.
        alert_id: The alert.
        decide: Returns record and entry; called again when somebody else was first.
        once: Of a request that may be sent again.

    Raises:
        AlertNotFoundError: There is no such alert.
        AlertStateError: ``decide`` says that it does not apply.
        AlertConflictError: The state keeps changing.
        KeyReusedError: ``once`` stands for another request.
    """
    done = find_done(connection, layout, once) if once else None
    if done is not None:
        return _as_done(connection, layout, alert_id, done)
    try:
        return _apply(connection, layout, alert_id, decide, once)
    except (AlertStateError, AlertNotFoundError):
        # The same request may have been applied a moment ago, by its first attempt: the alert is as it asked then.
        done = find_done(connection, layout, once) if once else None
        if done is None:
            raise
        return _as_done(connection, layout, alert_id, done)


def _as_done(connection: Connection, layout: Layout, alert_id: str, done: str) -> Applied:
    """Return what a request came to that was applied before."""
    service = find_service(connection, layout, alert_id)
    keys = layout.keys_of(service) if service else None
    return Applied(done, _read(connection, keys, service, alert_id)[1] if keys else None)


def _apply(
    connection: Connection,
    layout: Layout,
    alert_id: str,
    decide: Callable[[AlertRecord], HandChange],
    once: Once | None,
) -> Applied:
    service = find_service(connection, layout, alert_id)
    if not service:
        raise AlertNotFoundError(f"there is no alert {alert_id!r}: it is over, or never was")
    keys = layout.keys_of(service)
    for _ in range(_ATTEMPTS):
        applied = _try(connection, keys, service, alert_id, decide, once)
        if applied is not None:
            return applied
    raise AlertConflictError(f"the alerts of service {service!r} keep changing; try again")


def find_service(connection: Connection, layout: Layout, alert_id: str) -> str:
    """Return the service of an alert that is not inactive; empty when there is none."""
    services = [
        service for keys in layout.shards for service in map(as_text, as_list(connection.command("HKEYS", keys.closed)))
    ]
    found = connection.pipeline(
        [("HEXISTS", layout.keys_of(name).state(name), alert_field(alert_id)) for name in services]
    )
    return next((service for service, is_here in zip(services, found, strict=True) if as_int(is_here)), "")


def find_done(connection: Connection, layout: Layout, once: Once) -> str | None:
    """Return what a request was answered with when it was applied; ``None`` when it was not.

    Raises:
        KeyReusedError: Its key stands for another request.
    """
    for reply in connection.pipeline([("GET", keys.once(once.key)) for keys in layout.shards]):
        if reply is not None:
            request, _, transition = as_text(reply).partition(" ")
            if request != once.request:
                raise _other_request()
            return transition
    return None


def _read(
    connection: Connection, keys: ShardKeys, service: str, alert_id: str
) -> tuple[ServiceState, AlertRecord | None]:
    names = ("version", alert_field(alert_id))
    found = as_list(connection.command("HMGET", keys.state(service), *names))
    state = ServiceState.from_hash(
        {name: as_bytes(text) for name, text in zip(names, found, strict=True) if text is not None}
    )
    return state, state.records.get(alert_id)


def _try(
    connection: Connection,
    keys: ShardKeys,
    service: str,
    alert_id: str,
    decide: Callable[[AlertRecord], HandChange],
    once: Once | None,
) -> Applied | None:
    """Write the change against the state as read now; ``None`` when somebody changed it in between."""
    state, record = _read(connection, keys, service, alert_id)
    if record is None:
        raise AlertNotFoundError(f"there is no alert {alert_id!r}: it is over, or cannot be read")
    try:
        after, entry = decide(record)
    except NotApplicableError as error:
        raise AlertStateError(str(error)) from error
    names = [keys.state(service), keys.alerts, keys.quiet(alert_id), keys.once(once.key if once else "")]
    args: list[Value] = [state.version, alert_id, after.to_json(), int(entry.reason == RESOLVED_BY_HAND)]
    args += [once.request if once else "", ONCE_MS if once else 0, NO_TRIM_MS, *entry.to_fields()]
    status, *rest = map(as_text, as_list(connection.call("baro_act_1", names, args)))
    match status:
        case "ok":
            return Applied(entry.transition, after)
        case "stale":
            return None
        case "done":
            return Applied(rest[0], record)
        case _:
            raise _other_request()


def _other_request() -> KeyReusedError:
    return KeyReusedError("this key was used for another request before; take a new one for each")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
