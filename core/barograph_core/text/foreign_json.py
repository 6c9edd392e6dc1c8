"""Reads JSON that any client may have written."""

import json
import math
import re
from typing import Any, Final

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def load_foreign_json(text: bytes | str) -> Any:
    """Return the value of a JSON text, with lone surrogates, which no output can encode, replaced.

    A number that is not finite (``NaN``, ``1e999``) comes as ``None``: ``int()`` of it would raise what no one expects.

    Raises:
        ValueError: It is not UTF-8, no JSON, or nested more deeply than Python reads.
    """
    decoded = text if isinstance(text, str) else text.decode()
    try:
        value = _decoder.decode(decoded)
        if _SURROGATE.search(decoded):
            # Pairs of surrogates became one character when they were read: what is left has none to go with it.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_decoder: Final = json.JSONDecoder(parse_float=_finite, parse_constant=lambda _name: None)
