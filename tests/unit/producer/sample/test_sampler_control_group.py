"""What a control group allows and uses, read from files as containers and services have them."""

from pathlib import Path

from barograph_producer._sample.control_group import ControlGroup
from tests.unit.producer.sample.control_groups import MIB, make_group

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
    assert group.memory_limits() == [(".", 512 * MIB, 200 * MIB)]
    assert group.cpu_limits() == [(".", 1.5, 2.5)]


def test_a_service_below_a_limited_slice(tmp_path: Path) -> None:
    """A limit of any group on the way up binds, and goes with the usage of the same group."""
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
                "app.slice/cpu.stat": "usage_usec 7000000",
                "app.slice/ranker.service/cpu.stat": "usage_usec 1000000",
            },
        )
    )
    assert (group.cores(), group.memory_limit_bytes()) == (0.5, 256 * MIB)
    assert group.memory_limits() == [
        ("app.slice/ranker.service", 1024 * MIB, 10 * MIB),
        ("app.slice", 256 * MIB, 99 * MIB),
    ]
    assert group.cpu_limits() == [("app.slice", 0.5, 7.0)]


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
    assert group.memory_limits() == [(".", 512 * MIB, 250 * MIB)]
    assert group.cpu_limits() == [(".", 2.0, 3.0)]


def test_a_group_of_the_old_hierarchies_has_its_usage_where_its_limit_is(tmp_path: Path) -> None:
    """``cpu`` and ``cpuacct`` may be mounted apart, with the same groups in each."""
    group = ControlGroup(
        make_group(
            tmp_path,
            "4:memory:/pod/own\n3:cpuacct:/pod/own\n2:cpu:/pod/own\n",
            {
                "memory/pod/memory.limit_in_bytes": str(512 * MIB),
                "memory/pod/memory.usage_in_bytes": str(300 * MIB),
                "memory/pod/own/memory.limit_in_bytes": V1_UNLIMITED,
                "memory/pod/own/memory.usage_in_bytes": str(3 * MIB),
                "cpu/pod/cpu.cfs_quota_us": "200000",
                "cpu/pod/cpu.cfs_period_us": "100000",
                "cpu/pod/own/cpu.cfs_quota_us": "-1",
                "cpuacct/pod/cpuacct.usage": "3000000000",
                "cpuacct/pod/own/cpuacct.usage": "1000000000",
            },
        )
    )
    assert group.memory_limits() == [("pod", 512 * MIB, 300 * MIB)]
    assert group.cpu_limits() == [("pod", 2.0, 3.0)]


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
    assert (group.memory_limits(), group.cpu_limits()) == ([], [])


def test_files_full_of_nonsense_say_nothing(tmp_path: Path) -> None:
    group = ControlGroup(
        make_group(
            tmp_path,
            "nonsense\n0::/../../etc\n",
            {"cpu.max": "100000 0", "memory.max": "lots", "memory.current": "", "cpu.stat": "usage_usec -"},
        )
    )
    assert (group.cores(), group.memory_limit_bytes()) == (None, None)
    assert (group.memory_limits(), group.cpu_limits()) == ([], [])


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
