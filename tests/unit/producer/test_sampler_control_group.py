"""What a control group allows and uses, read from files as containers and services have them."""

from pathlib import Path

from barograph_producer._control_group import ControlGroup
from tests.unit.producer.control_groups import MIB, make_group

V1_OWN = "4:memory:/docker/1a2b\n3:cpu,cpuacct:/docker/1a2b\n1:name=systemd:/docker/1a2b\n"
V1_UNLIMITED = str(2**63 - 4096)


def test_a_container_with_the_unified_hierarchy(tmp_path: Path) -> None:
    """The group is mounted as the top, and its path reads ``/``."""
    group = ControlGroup(
        make_group(
            tmp_path,
            "0::/\n",
            {
                "cpu.max": "150000 100000",
                "memory.max": str(512 * MIB),
                "memory.current": str(300 * MIB),
                "memory.stat": f"anon 1\nactive_file 2\ninactive_file {100 * MIB}",
                "cpu.stat": "usage_usec 2500000\nuser_usec 1",
            },
        )
    )
    assert group.cores() == 1.5
    assert group.memory_limit_bytes() == 512 * MIB
    assert group.memory_used_bytes() == 200 * MIB
    assert group.cpu_used_s() == 2.5


def test_a_service_below_a_limited_slice(tmp_path: Path) -> None:
    """A limit of any group on the way up binds; usage is the own group's."""
    group = ControlGroup(
        make_group(
            tmp_path,
            "0::/app.slice/ranker.service\n",
            {
                "app.slice/cpu.max": "50000 100000",
                "app.slice/memory.max": str(256 * MIB),
                "app.slice/ranker.service/cpu.max": "max 100000",
                "app.slice/ranker.service/memory.max": str(1024 * MIB),
                "app.slice/ranker.service/memory.current": str(10 * MIB),
                "app.slice/memory.current": str(99 * MIB),
            },
        )
    )
    assert (group.cores(), group.memory_limit_bytes()) == (0.5, 256 * MIB)
    assert group.memory_used_bytes() == 10 * MIB


def test_a_container_with_the_old_hierarchies(tmp_path: Path) -> None:
    """Its path is the host's and not to be found: what is mounted is its own group."""
    group = ControlGroup(
        make_group(
            tmp_path,
            V1_OWN,
            {
                "memory/memory.limit_in_bytes": str(512 * MIB),
                "memory/memory.usage_in_bytes": str(300 * MIB),
                "memory/memory.stat": f"inactive_file 5\ntotal_inactive_file {50 * MIB}",
                "cpu,cpuacct/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/cpuacct.usage": "3000000000",
            },
        )
    )
    assert group.cores() == 2.0
    assert group.memory_limit_bytes() == 512 * MIB
    assert group.memory_used_bytes() == 250 * MIB
    assert group.cpu_used_s() == 3.0


def test_the_old_hierarchies_without_limits_set_none(tmp_path: Path) -> None:
    group = ControlGroup(
        make_group(
            tmp_path,
            V1_OWN,
            {
                "memory/memory.limit_in_bytes": V1_UNLIMITED,
                "memory/docker/1a2b/memory.limit_in_bytes": V1_UNLIMITED,
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
            },
        )
    )
    assert (group.cores(), group.memory_limit_bytes()) == (None, None)


def test_a_group_without_limits_sets_none(tmp_path: Path) -> None:
    group = ControlGroup(make_group(tmp_path, "0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}))
    assert (group.cores(), group.memory_limit_bytes()) == (None, None)


def test_without_any_files_nothing_is_known(tmp_path: Path) -> None:
    """As on macOS and Windows, or where ``/proc`` and ``/sys`` are hidden."""
    group = ControlGroup(tmp_path)
    assert (group.cores(), group.memory_limit_bytes()) == (None, None)
    assert (group.memory_used_bytes(), group.cpu_used_s()) == (None, None)


def test_files_full_of_nonsense_say_nothing(tmp_path: Path) -> None:
    group = ControlGroup(
        make_group(
            tmp_path,
            "nonsense\n0::/../../etc\n",
            {"cpu.max": "100000 0", "memory.max": "lots", "memory.current": "", "cpu.stat": "usage_usec -"},
        )
    )
    assert (group.cores(), group.memory_limit_bytes()) == (None, None)
    assert (group.memory_used_bytes(), group.cpu_used_s()) == (None, None)


def test_a_limit_that_is_changed_is_seen(tmp_path: Path) -> None:
    """Containers are resized while they run."""
    group = ControlGroup(make_group(tmp_path, "0::/\n", {"memory.max": str(64 * MIB)}))
    assert group.memory_limit_bytes() == 64 * MIB
    make_group(tmp_path, "0::/\n", {"memory.max": str(128 * MIB)})
    assert group.memory_limit_bytes() == 128 * MIB


def test_this_machines_own_files_can_be_read() -> None:
    """Whatever they are: a limit is a positive number or none."""
    group = ControlGroup()
    assert (group.cores() or 1) > 0
    assert (group.memory_limit_bytes() or 1) > 0
