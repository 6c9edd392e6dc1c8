from collections.abc import Mapping
from pathlib import Path

import pytest

import barograph_console
from barograph_console.page.assets import load_assets
from barograph_console.page.joining import join, join_sheets
from barograph_console.page.references import AssetError

MODULES = {
    "js/main.js": '// @ts-check\nimport { one as first } from "./deep/one.js";\nimport "./two.js";\n\nrun(first);\n',
    "js/two.js": 'import { one } from "./deep/one.js";\n'
    'export const later = async () => (await import("./late.js")).big(one);\n',
    "js/deep/one.js": "/** What it is.\n * @type {number} */\nexport const one = 1;\nexport async function wait() {}\n",
    "js/late.js": 'import { one } from "./deep/one.js";\nimport { own } from "./own.js";\n'
    "export const big = () => own + one;\n",
    "js/own.js": "export class Own {}\nexport const own = 2;\n",
}


def sources(texts: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in texts.items()}


def test_each_module_is_a_function_after_those_that_it_needs() -> None:
    """Comments and types are left out; exports are what the function returns."""
    assert join("js/main.js", sources(MODULES))["js/main.joined.js"] == (
        "const $0 = (() => {\nconst one = 1;\nasync function wait() {}\nreturn { one, wait };\n})();\n"
        "const $1 = (() => {\nconst { one } = $0;\n"
        'const later = async () => ((await import("./late.joined.js")).default($0)).big(one);\n'
        "return { later };\n})();\n"
        "const $2 = (() => {\nconst { one: first } = $0;\nrun(first);\nreturn {  };\n})();\n"
    )


def test_what_is_imported_at_run_time_is_a_file_that_is_given_what_is_there_already() -> None:
    """A module exists once: the second file does not bring its own copy of what the first has."""
    assert join("js/main.js", sources(MODULES))["js/late.joined.js"] == (
        "export default ($0) => {\n"
        "const $3 = (() => {\nclass Own {}\nconst own = 2;\nreturn { Own, own };\n})();\n"
        "const $4 = (() => {\nconst { one } = $0;\nconst { own } = $3;\nconst big = () => own + one;\n"
        "return { big };\n})();\n"
        "return $4;\n};\n"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"js/deep/one.js": 'import { run } from "../main.js";\n'}, "circle"),
        ({"js/main.js": 'import { a } from "./nowhere.js";\n'}, "no such file"),
        ({"js/two.js": 'import * as all from "./deep/one.js";\n'}, "cannot be joined"),
        ({"js/two.js": "export default 1;\n"}, "cannot be joined"),
    ],
    ids=["circle", "missing", "namespace", "default"],
)
def test_what_cannot_be_joined_is_refused(changed: dict[str, str], message: str) -> None:
    """A start that fails is better than a page that is half there."""
    with pytest.raises(AssetError, match=message):
        join("js/main.js", sources(MODULES | changed))


def test_style_sheets_are_joined_in_their_order() -> None:
    sheets = {
        "all.css": '/* All. */\n@import "./a.css";\n@import "./b.css";\n',
        "a.css": "a { b: c }\n",
        "b.css": "d,\ne > f {\n  g: h;\n}\n",
    }
    assert join_sheets("all.css", sources(sheets)) == "a{b:c}d,e>f{g:h;}"


def test_the_page_weighs_at_most_40_kb() -> None:
    """All that the first screen needs, compressed as it is sent."""
    assets = load_assets(Path(barograph_console.__file__).parent / "page")
    page = assets.pages["index.html"]
    sent = [page, *(asset for name, asset in assets.hashed.items() if f'"/static/{name}"' in page.body.decode())]
    assert len(sent) >= 4
    assert sum(len(asset.gzipped or asset.body) for asset in sent) <= 40 * 1_024
