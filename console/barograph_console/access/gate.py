"""The gate: one layer before the framework that every request passes, whatever route it is for."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from barograph_console.access.authentication import Authenticator, unauthorized
from barograph_console.access.identity import SAFE_METHODS, Identity, RouteRule, keep_identity, rule_for
from barograph_console.access.origins import OriginGuard, check_csrf_header
from barograph_console.serving.problems import ApiError, answer_of
from barograph_console.serving.request_bounds import check_head, check_length, with_body
from barograph_console.serving.security_headers import with_security_headers
from barograph_core.errors import BarographError


class Gate:
    """ASGI application around another: bounds, host, origin and identity are checked before a body is read.

    A route needs no guard of its own, and one that is added later cannot lack one: what no rule names is for readers,
    or for admins where the method changes something.
    """

    def __init__(
        self, app: ASGIApp, rules: Sequence[RouteRule], authenticator: Authenticator, origins: OriginGuard
    ) -> None:
        self._app = app
        self._rules = tuple(rules)
        self._authenticator = authenticator
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = with_security_headers(scope, send)
        headers = Headers(scope=scope)
        try:
            check_head(scope)
            rule = rule_for(self._rules, scope["path"], scope.get("method", "GET"))
            check_length(headers, rule.max_body_bytes)
            await self._admit(scope, headers, rule)
            if scope["type"] == "http":
                receive = await with_body(headers, receive, rule.max_body_bytes)
        except (ApiError, BarographError) as error:
            await answer_of(error, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, headers: Headers, rule: RouteRule) -> None:
        """Note in ``scope`` whom the request comes from.

        Raises:
            ApiError: It is not admitted.
            BarographError: Whether it is cannot be found out now.
        """
        if rule.any_host:
            keep_identity(scope, None)
            return
        self._origins.check_host(headers)
        is_change = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        if not rule.roles:
            keep_identity(scope, None)
            if is_change:
                self._origins.check_origin(headers, is_required=False)
            return
        try:
            identity = await self._identify(scope, headers)
        except (ApiError, BarographError) as error:
            if not (rule.is_page and _wants_page(headers)):
                raise
            # Anyone may have the page; it is empty without its figures.
            keep_identity(scope, None, is_signed_out=isinstance(error, ApiError))
            return
        if identity.role not in rule.roles:
            raise ApiError(403, "forbidden", f"this needs the role {' or '.join(sorted(rule.roles))}")
        if scope["type"] == "websocket":
            is_asked = bool(identity.token_id) and "authorization" not in headers
            self._origins.check_origin(headers, is_required=is_asked, allows_others=True)
        elif is_change:
            self._check_forgery(headers, identity)
        keep_identity(scope, identity)

    async def _identify(self, scope: Scope, headers: Headers) -> Identity:
        address = scope["client"][0] if scope.get("client") else ""
        identity = await self._authenticator.identify(headers, address)
        if identity is None:
            raise unauthorized()
        return identity

    def _check_forgery(self, headers: Headers, identity: Identity) -> None:
        """Refuse a change that a page of another site asks a signed-in browser to make.

        Raises:
            ApiError: 403.
        """
        if identity.token_id and not identity.session:
            # No browser adds a bearer token by itself.
            return
        self._origins.check_origin(headers, is_required=bool(identity.session))
        if identity.session:
            check_csrf_header(headers)


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")
