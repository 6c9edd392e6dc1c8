"""What an open pane says for certain, its closed pane does not take back: Poisson traffic near the threshold.

``benchmarks/open_pane_verdicts.py`` is the same over hours.
"""

import pytest

from tests.poisson_traffic import Traffic, simulate

SECONDS = 100
MOST_CONTRADICTED = 0.01


@pytest.mark.parametrize(("per_s", "seed"), [(30, 1), (100, 2)])
def test_open_panes_give_the_episodes_of_closed_ones(per_s: float, seed: int) -> None:
    """Hardly any verdict is contradicted, and alerts fire and end as those of an alerter that waits for closed panes.

    The control lets come what has happened and not arrived, and not what is still to happen within the pane. It is
    contradicted and fires more often: the traffic is one in which a rash alerter is found out.
    """
    found = simulate(Traffic(per_s, bad_share=0.045), SECONDS, seed)
    judged, rash, closed = found["alerter"], found["lag alone"], found["closed"]
    assert len(closed.episodes) >= 5
    assert len(judged.claimed) >= 20
    assert judged.contradicted_share <= MOST_CONTRADICTED
    assert judged.episodes == closed.episodes
    assert rash.contradicted_share > 0.05
    assert len(rash.episodes) > len(closed.episodes)


def test_an_instance_whose_clock_is_behind_is_waited_for() -> None:
    """Its events of a time come later than those of the others, and so more may still come.

    The control asks until when it has shipped by the server's clock, as if it were as far as the others.
    """
    found = simulate(Traffic(100, bad_share=0.045, behind_ms=400), SECONDS, 1)
    judged, rash, closed = found["alerter"], found["server's clock"], found["closed"]
    assert len(judged.claimed) >= 20
    assert judged.contradicted_share <= MOST_CONTRADICTED
    assert judged.episodes == closed.episodes
    assert rash.contradicted_share > 0.02
    assert rash.episodes != closed.episodes


def test_the_first_seconds_of_a_service_are_no_rate() -> None:
    """A pane in which a service begins shows few of the events that a pane will have: nothing is certain by it."""
    for seed in range(20):
        found = simulate(Traffic(100, bad_share=0.045), 4, seed)
        assert not found["alerter"].contradicted
