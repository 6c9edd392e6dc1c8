"""The outline of panes, from which charts are drawn, keeps the same rules as the panes themselves."""

import pytest

from barograph_core.errors import MalformedEventError
from barograph_core.events.kinds import KINDS
from barograph_core.events.messagepack import pack
from barograph_core.panes.outline import read_outline
from barograph_core.server.replies import as_bytes
from tests.formats.kept import VERSIONS, kept_entries, restore_keys
from tests.formats.next_version import GROWN_MODEL, MODEL, OUTCOME, grown, grown_model, outcome, pane_of
from tests.formats.write import SERVICE, START_MS
from tests.support import fake_connection

LAST = VERSIONS[-1]


def kept_minutes(version: str) -> list[bytes]:
    """Return the two minutes of the kept store, packed: the first holds all events three times."""
    connection = fake_connection()
    keys = restore_keys(version, connection)
    block = keys.panes(SERVICE, 60_000, START_MS)
    return [as_bytes(connection.command("HGET", block, str(start))) for start in (START_MS, START_MS + 60_000)]


@pytest.mark.parametrize("version", VERSIONS)
def test_panes_of_earlier_versions_are_outlined(version: str) -> None:
    """Next to one of this version."""
    packed = [*kept_minutes(version), pane_of(*kept_entries(LAST)).pack()]
    requests = read_outline(packed, KINDS["request"], 0)
    assert requests.events.tolist() == [39, 13, 13]
    assert requests.maximum.tolist() == [250.0, 250.0, 250.0]
    predictions = read_outline(packed, MODEL, MODEL.measure_names.index("prediction"))
    assert (predictions.events.tolist(), predictions.minimum.tolist()) == ([9, 3, 3], [-1.5, -1.5, -1.5])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_measure_that_an_earlier_version_did_not_know_is_absent(version: str) -> None:
    """The measures before it keep their values."""
    with grown():
        packed = [*kept_minutes(version), pane_of(grown_model(START_MS, 0.25)).pack()]
        costs = read_outline(packed, GROWN_MODEL, 5)
        assert (costs.events.tolist(), costs.bin_panes.tolist(), costs.maximum.tolist()[2]) == ([9, 3, 1], [2], 0.25)
        assert read_outline(packed, GROWN_MODEL, 0).maximum.tolist() == [20.0, 20.0, 1.0]


def test_more_measures_than_are_known_are_refused_and_other_kinds_are_passed_over() -> None:
    """A chart of one kind does not depend on another kind that is new."""
    with grown():
        packed = pane_of(grown_model(START_MS, 0.25), outcome(START_MS), *kept_entries(LAST)[:1]).pack()
        with pytest.raises(MalformedEventError, match=r"pane kinds \['outcome'\] are not known in version 1"):
            read_outline([pack([1, "outcome", 1, b""])], OUTCOME, 0)
    with pytest.raises(MalformedEventError, match=r"6 measures of model are more than the 5 .* a newer version wrote"):
        read_outline([packed], MODEL, 0)
    assert read_outline([packed], KINDS["request"], 0).events.tolist() == [13]
