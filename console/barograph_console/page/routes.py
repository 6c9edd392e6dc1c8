"""``/`` and ``/static``: the page for browsers, the index for programs."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from barograph_console.access.authentication import unauthorized
from barograph_console.access.identity import is_signed_out
from barograph_console.page.assets import Asset, Assets
from barograph_console.page.references import AssetError
from barograph_console.serving.problems import ApiError

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
# May be kept, but is asked for each time; the answer is then mostly 304.
_ASK: Final = "no-cache"


class PageRoutes:
    """Sends the page's files as they were made ready at start; no request reads or compresses anything."""

    def __init__(self, assets: Assets, index: BaseModel) -> None:
        """Make the routes.

        Args:
            assets: The page.
            index: What programs get of ``/``.

        Raises:
            AssetError: The page is not there.
        """
        self._assets = assets
        self._page, self._login = (_named(assets, name) for name in ("index.html", "login.html"))
        self._index = index
        self.router = APIRouter(tags=["health"])
        self.router.add_api_route(
            "/",
            self.root,
            response_model=type(index),
            responses={200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"}}}},
            operation_id="getIndex",
            summary="What there is; the page for browsers",
        )
        # Apart from GET, so that the description of the API holds one operation of each name.
        self.router.add_api_route("/", self.root, methods=["HEAD"], include_in_schema=False)
        self.open_router = APIRouter(include_in_schema=False)
        self.open_router.add_api_route("/static/{name:path}", self.static, methods=["GET", "HEAD"])

    async def root(self, request: Request) -> Response:
        signed_out = is_signed_out(request)
        if not _wants_html(request.headers):
            if signed_out:
                raise unauthorized()
            return JSONResponse(self._index.model_dump(), headers={"Vary": "Accept"})
        if signed_out:
            # Never from a cache, and never unchanged: under the same URL lies the page itself.
            return _whole(self._login, request, {"Cache-Control": "no-store"}, status=401)
        return _send(self._page, request, _ASK, vary="Accept, Accept-Encoding, Cookie")

    async def static(self, request: Request, name: str) -> Response:
        asset = self._assets.hashed.get(name)
        if asset is not None:
            return _send(asset, request, _IMMUTABLE)
        mark = self._assets.marks.get(name)
        if mark is None:
            raise ApiError(404, "not_found", "there is no such file")
        return _send(mark, request, _ASK)


def _wants_html(headers: Mapping[str, str]) -> bool:
    """Say whether HTML is asked for by name: programs that take anything get JSON."""
    ranges = [part.partition(";")[0].strip().lower() for part in headers.get("accept", "").split(",")]
    return "text/html" in ranges


def _named(assets: Assets, name: str) -> Asset:
    page = assets.pages.get(name)
    if page is None:
        raise AssetError(f"the page's {name} is not there: the installation is damaged")
    return page


def _send(asset: Asset, request: Request, caching: str, *, vary: str = "Accept-Encoding") -> Response:
    headers = {"Cache-Control": caching, "ETag": asset.etag, "Vary": vary}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return _whole(asset, request, headers)


def _whole(asset: Asset, request: Request, headers: Mapping[str, str], *, status: int = 200) -> Response:
    """Return a file as it was made ready; to HEAD the server sends its headers only."""
    body, coding = asset.body, dict[str, str]()
    if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        body, coding = asset.gzipped, {"Content-Encoding": "gzip"}
    return Response(body, status, {**headers, **coding, "Content-Type": asset.content_type})
