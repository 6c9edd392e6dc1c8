from barograph_console.markers.releases import releases
from barograph_console.markers.rows import MarkerRow


def test_a_version_that_is_first_seen_later_is_a_release() -> None:
    """The version that a model began with is none: nothing was released when monitoring began."""
    found = releases({("ctr", "7"): 1_000, ("ctr", "8"): 61_000, ("rank", "1"): 5_000})
    assert found == [MarkerRow(61_000, "release", "ctr 8", "release:ctr:8")]


def test_releases_are_in_the_order_of_time() -> None:
    found = releases({("a", "1"): 0, ("a", "3"): 9_000, ("b", "1"): 0, ("b", "2"): 4_000})
    assert [marker.title for marker in found] == ["b 2", "a 3"]
