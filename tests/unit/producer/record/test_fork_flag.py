"""The flag that a fork clears, on a page that the kernel wipes and, without such pages, by the process id."""

# pyright: reportPrivateUsage=false

import ctypes
import os
from collections.abc import Callable

import pytest

from barograph_producer._record import fork_flag
from barograph_producer._record.fork_flag import PidFlag, make_fork_flag

# ``fork`` of the C library, which calls none of Python's hooks. ``PyDLL`` keeps the interpreter's lock, as uWSGI does.
fork_in_c = ctypes.PyDLL(None).fork
UNKNOWN_ADVICE = -1


@pytest.fixture(params=["wiped page", "process id"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], fork_flag.ForkFlag]:
    if request.param == "process id":
        monkeypatch.setattr(fork_flag, "_WIPE_ON_FORK", UNKNOWN_ADVICE)
    elif isinstance(make_fork_flag(), PidFlag):
        pytest.skip("this kernel wipes no pages")
    return make_fork_flag


def answer_of_child(question: Callable[[], bool]) -> bool:
    pid: int = fork_in_c()
    if pid == 0:
        os._exit(int(question()))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_flag_is_what_it_was_set_to(make: Callable[[], fork_flag.ForkFlag]) -> None:
    flag, other = make(), make()
    seen = [bool(flag)]
    for value in (1, 0, 1):
        flag.value = value
        seen.append(bool(flag))
    assert seen == [False, True, False, True]
    assert not other


def test_a_fork_that_python_does_not_see_clears_the_childs_flag_and_not_the_parents(
    make: Callable[[], fork_flag.ForkFlag],
) -> None:
    flag = make()
    flag.value = 1
    assert not answer_of_child(lambda: bool(flag))
    assert flag


def test_a_child_may_set_the_flag_for_itself(make: Callable[[], fork_flag.ForkFlag]) -> None:
    flag = make()

    def set_it() -> bool:
        flag.value = 1
        return bool(flag) and not answer_of_child(lambda: bool(flag))

    assert answer_of_child(set_it)
    assert not flag


def test_linux_wipes_the_page() -> None:
    """Otherwise the reading would cost ten times as much, unseen."""
    if os.uname().sysname != "Linux":
        pytest.skip("only Linux has such pages")
    assert not isinstance(make_fork_flag(), PidFlag)
