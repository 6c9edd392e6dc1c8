import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest

from barograph_console.page.assets import load_assets
from barograph_console.page.references import AssetError

HTML = """<!doctype html>
<html><head>
<link rel="icon" href="/static/mark-ok.svg">
<link rel="stylesheet" href="/static/page.css">
<script type="module" src="/static/js/main.js"></script>
</head><body></body></html>
"""
MAIN = """import { a } from "./a.js";
import {
  b,
} from "./deep/b.js";
const { c } = await import("./c.js");
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "index.html": HTML,
            "page.css": 'body { background: url("./mark-ok.svg") }',
            "mark-ok.svg": "<svg/>",
            "js/main.js": MAIN,
            "js/a.js": '/** @typedef {import("./main.js").State} State */\nexport const a = 1;\n',
            "js/deep/b.js": 'export { a } from "../a.js";\nexport const b = "./a.js";\n',
            "js/c.js": "export const c = 3;\n",
            "notes.txt": "not of the page",
        },
    )


def test_every_file_is_named_for_its_content(folder: Path) -> None:
    """A name holds the beginning of the digest of the very bytes that are sent under it."""
    assets = load_assets(folder)
    assert sorted(re.sub(r"\.[0-9a-f]{8}\.", ".", name) for name in assets.hashed) == [
        "js/a.js",
        "js/c.js",
        "js/deep/b.js",
        "js/main.js",
        "mark-ok.svg",
        "page.css",
    ]
    for name, asset in assets.hashed.items():
        assert name.split(".")[-2] == hashlib.sha256(asset.body).hexdigest()[:8]


def test_modules_import_each_other_by_the_names_that_are_served(folder: Path) -> None:
    """Each import of a module, static, wrapped or dynamic, names a file that is there; other text stays."""
    assets = load_assets(folder)
    by_stem = {re.sub(r"\.[0-9a-f]{8}\.", ".", name): asset for name, asset in assets.hashed.items()}
    main, b = by_stem["js/main.js"].body.decode(), by_stem["js/deep/b.js"].body.decode()
    imported = re.findall(r'"\./([^"]+)"', main)
    assert [f"js/{name}" for name in imported] == [by_stem[f"js/{name}.js"].name for name in ("a", "deep/b", "c")]
    assert f'from "../{by_stem["js/a.js"].name.removeprefix("js/")}"' in b
    assert 'b = "./a.js"' in b
    assert 'import("./main.js").State' in by_stem["js/a.js"].body.decode()


def test_a_change_deep_down_renames_all_that_import_it(folder: Path) -> None:
    """What a browser keeps for a year is never a mixture of two versions."""
    before = set(load_assets(folder).hashed)
    write(folder, {"js/a.js": "export const a = 2;\n"})
    after = set(load_assets(folder).hashed)
    assert sorted(re.sub(r"\.[0-9a-f]{8}\.", ".", name) for name in after - before) == [
        "js/a.js",
        "js/deep/b.js",
        "js/main.js",
    ]


def test_the_page_names_scripts_styles_and_modules_with_their_integrity(folder: Path) -> None:
    """The digests in the page are those of the bytes that are served; modules that are imported have theirs too."""
    assets = load_assets(folder)
    html = assets.pages["index.html"].body.decode()
    found = dict(re.findall(r'(?:src|href)="/static/([^"]+)" integrity="([^"]+)"', html))
    assert sorted(found) == sorted(name for name in assets.hashed if not name.endswith(".svg"))
    for name, integrity in found.items():
        digest = hashlib.sha384(assets.hashed[name].body).digest()
        assert integrity == f"sha384-{base64.b64encode(digest).decode()}"
    assert html.count("modulepreload") == 3


def test_a_style_sheet_names_its_pictures_as_they_are_served(folder: Path) -> None:
    assets = load_assets(folder)
    (sheet,) = (asset for name, asset in assets.hashed.items() if name.startswith("page."))
    assert f'url("./{assets.marks["mark-ok.svg"].name}")' in sheet.body.decode()


def test_files_are_compressed_where_that_helps(tmp_path: Path) -> None:
    write(tmp_path, {"long.css": "a { color: red }\n" * 100, "short.css": "a{}"})
    long, short = (load_assets(tmp_path).hashed[name] for name in sorted(load_assets(tmp_path).hashed))
    assert long.gzipped is not None
    assert gzip.decompress(long.gzipped) == long.body
    assert short.gzipped is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.js": 'import "./gone.js";\n'}, r"a\.js refers to '\./gone\.js'"),
        ({"a.js": 'import "../../etc/passwd.js";\n'}, "no such file"),
        ({"index.html": '<script src="/static/gone.js"></script>'}, "index.html refers to"),
        ({"a.js": 'import "./b.js";\n', "b.js": 'import "./a.js";\n'}, r"circle: a\.js -> b\.js -> a\.js"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A mistake in the page ends the start, not somebody's first visit."""
    with pytest.raises(AssetError, match=message):
        load_assets(write(tmp_path, files))
