"""Drives one fuzz test for as long as wanted, guided by the coverage of our code: ``pip install atheris`` first.

    python -m tests.fuzz.by_hand test_packed_bytes:test_any_bytes_of_a_pane_are_unpacked_or_refused corpus/

What follows the test is libFuzzer's: folders of inputs, ``-max_total_time=600``. Atheris is no dependency: it has no
wheel for every Python that we run on, and an hour of it is nothing for CI. A test with parameters or fixtures is
driven by hypothesis alone: ``BAROGRAPH_FUZZ_FACTOR=200 pytest tests/fuzz -k NAME``.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

_OURS: Final = ("barograph_core", "barograph_alerter", "barograph_notifier", "barograph_cli")


def target_of(name: str) -> Callable[[bytes], object]:
    """Return what hypothesis makes of a test of this folder, ``module:function``: a function of bytes.

    Raises:
        ValueError: There is no such test.
    """
    module, _, function = name.partition(":")
    try:
        test: Any = getattr(import_module(f"tests.fuzz.{module}"), function)
        fuzz_one_input: Callable[[bytes], object] = test.hypothesis.fuzz_one_input
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} is no MODULE:TEST of tests/fuzz that hypothesis draws everything for") from error
    return fuzz_one_input


def main(argv: list[str]) -> None:
    """Fuzz until an input fails the test, or until libFuzzer's own options end it."""
    if len(argv) < 2:
        sys.exit(__doc__)
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=list(_OURS)):
        target = target_of(argv[1])
    atheris.Setup([argv[0], *argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
