"""The files of the page, read, hashed and compressed once at start."""

import base64
import gzip
import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from barograph_console.page.joining import join, join_sheets, joined_path
from barograph_console.page.references import STATIC, AssetError, find_references, replace_references

CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_TAG: Final = re.compile(r'<(?P<name>script|link)\b[^>]*?\b(?:src|href)="(?P<url>/static/[^"]+)"[^>]*?(?P<end>/?>)')
_JOINED: Final = re.compile(r'(?P<name>src|href)="/static/(?P<path>[^"]+)" data-joined')
_HASH_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to send.

    Attributes:
        name: Path under ``/static/``, with the hash of the content in it.
        gzipped: The body compressed; ``None`` where that does not make it smaller.
        integrity: For the attribute of the same name.
        needs: Names of the files that it refers to, directly or through others, each after those that it needs.
    """

    name: str
    content_type: str
    body: bytes
    gzipped: bytes | None
    integrity: str
    needs: tuple[str, ...]

    @property
    def url(self) -> str:
        return STATIC + self.name

    @property
    def etag(self) -> str:
        return f'"{self.integrity.removeprefix("sha384-")[:22]}"'


@dataclass(frozen=True, slots=True)
class Assets:
    """What there is to send.

    Attributes:
        pages: The HTML files, by their names in the folder.
        hashed: All other files, by their names with the hash.
        marks: The SVG files by their names without it: scripts choose among them, so they cannot be written in by us.
    """

    pages: Mapping[str, Asset]
    hashed: Mapping[str, Asset]
    marks: Mapping[str, Asset]


def load_assets(folder: Path) -> Assets:
    """Read the page's files in ``folder``.

    References between files are replaced by names with hashes when the files are read. An import map would do the
    same in the browser, but being inline it would need a hash of its own in the Content-Security-Policy.

    Raises:
        AssetError: A file refers to one that is not there, or files refer to each other in a circle.
    """
    return _Loader(folder).load()


class _Loader:
    """Names files after their content: what a file refers to is therefore named first."""

    def __init__(self, folder: Path) -> None:
        self._sources = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.suffix in CONTENT_TYPES
        }
        for path in [path for path in self._sources if path.endswith(".html")]:
            self._sources[path] = _JOINED.sub(self._joined, self._sources[path].decode()).encode()
        self._made: dict[str, Asset] = {}
        self._under_way: list[str] = []

    def load(self) -> Assets:
        made = {path: self._asset(path) for path in self._sources}
        pages = {path: asset for path, asset in made.items() if path.endswith(".html")}
        return Assets(
            pages=pages,
            hashed={asset.name: asset for path, asset in made.items() if path not in pages},
            marks={path: asset for path, asset in made.items() if path.endswith(".svg")},
        )

    def _joined(self, match: re.Match[str]) -> str:
        """Add the file that joins a module or a style sheet with all that it imports; return how the page names it."""
        path = match["path"]
        is_sheet = path.endswith(".css")
        files = {joined_path(path): join_sheets(path, self._sources)} if is_sheet else join(path, self._sources)
        self._sources |= {name: text.encode() for name, text in files.items()}
        return f'{match["name"]}="{STATIC}{joined_path(path)}"'

    def _asset(self, path: str) -> Asset:
        if path in self._made:
            return self._made[path]
        if path in self._under_way:
            raise AssetError(f"files import each other in a circle: {' -> '.join([*self._under_way, path])}")
        self._under_way.append(path)
        suffix = posixpath.splitext(path)[1]
        body = self._sources[path]
        needed: dict[str, Asset] = {}
        if suffix != ".svg":
            text = body.decode()
            for written in find_references(text, suffix):
                needed[written] = self._asset(self._target(path, written))
            body = replace_references(text, suffix, lambda written: _like(written, needed[written].name)).encode()
        needs = tuple(dict.fromkeys(name for asset in needed.values() for name in (*asset.needs, asset.name)))
        if suffix == ".html":
            body = self._with_integrity(body.decode(), needs).encode()
        self._under_way.pop()
        self._made[path] = _ready(path, body, needs)
        return self._made[path]

    def _target(self, path: str, written: str) -> str:
        """Return which file ``written`` in ``path`` names."""
        folder = "" if written.startswith(STATIC) else posixpath.dirname(path)
        target = posixpath.normpath(posixpath.join(folder, written.removeprefix(STATIC)))
        if target not in self._sources:
            raise AssetError(f"{path} refers to {written!r}, and there is no such file")
        return target

    def _with_integrity(self, html: str, needs: tuple[str, ...]) -> str:
        """Give scripts and style sheets their ``integrity``, and all modules a preload with theirs.

        An import has no place for it; a module that was preloaded is taken, or refused, as it was then. Preloads
        also spare the browser from finding one import after the other.
        """
        by_name = {asset.name: asset for asset in self._made.values()}

        def tagged(match: re.Match[str]) -> str:
            tag, asset = match.group(0), by_name[match["url"].removeprefix(STATIC)]
            is_checked = match["name"] == "script" or 'rel="stylesheet"' in tag
            if not is_checked or " integrity=" in tag:
                return tag
            return f'{tag[: -len(match["end"])]} integrity="{asset.integrity}"{match["end"]}'

        tags = [match for match in _TAG.finditer(html) if match["name"] == "script"]
        direct = {match["url"].removeprefix(STATIC) for match in tags}
        preloads = "".join(
            f'<link rel="modulepreload" href="{by_name[name].url}" integrity="{by_name[name].integrity}">\n'
            for name in needs
            # The second part of a joined module is for later.
            if name.endswith(".js") and name not in direct and ".joined." not in name
        )
        html = _TAG.sub(tagged, html)
        return html.replace("</head>", f"{preloads}</head>", 1)


def _like(written: str, name: str) -> str:
    """Return ``name`` in the place of ``written``: only its last part differs, by the hash."""
    return posixpath.join(posixpath.dirname(written), posixpath.basename(name))


def _ready(path: str, body: bytes, needs: tuple[str, ...]) -> Asset:
    stem, suffix = posixpath.splitext(path)
    digest = hashlib.sha256(body).hexdigest()[:_HASH_DIGITS]
    # Level 9 costs once, and no time stamp: the same files give the same bytes.
    gzipped = gzip.compress(body, 9, mtime=0)
    return Asset(
        name=path if suffix == ".html" else f"{stem}.{digest}{suffix}",
        content_type=CONTENT_TYPES[suffix],
        body=body,
        gzipped=gzipped if len(gzipped) < len(body) else None,
        integrity=f"sha384-{base64.b64encode(hashlib.sha384(body).digest()).decode()}",
        needs=needs,
    )
