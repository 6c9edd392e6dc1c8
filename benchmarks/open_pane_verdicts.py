"""How many verdicts on open panes their closed panes contradict: Poisson traffic near the threshold, in virtual time.

The alerter judges a pane while events still come into it, and fires when its condition holds whatever comes. The true
shares of errors and of slow requests lie just below the thresholds, so that every window is a close call. ``closed`` is
an alerter that waits for closed panes: the episodes must be its own. ``lag alone`` is the control, which counts what
has happened and not arrived as all that may still come. In bursts three times as many requests come for 5 s, once a
minute on average: nothing foresees those, and what they cost is stated.

Usage: python benchmarks/open_pane_verdicts.py [--hours 2] [--processes 2] [--rates 30 100 1000]
"""

import argparse
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from tests.poisson_traffic import Traffic, Truth, simulate

RATES = (30, 100, 1_000)
SHARES = (0.03, 0.04, 0.045)
MOST_CONTRADICTED = 0.01


def shown(traffic: Traffic, found: dict[str, Truth]) -> str:
    judged, rash, closed = found["alerter"], found["lag alone"], found["closed"]
    further = len(judged.episodes - closed.episodes)
    lacking = len(closed.episodes - judged.episodes)
    return (
        f"| {traffic.per_s:g} | {traffic.bad_share:.1%} | {'×3' if traffic.burst > 1 else 'none'} "
        f"| {len(judged.contradicted)} of {len(judged.claimed)} ({judged.contradicted_share:.2%}) "
        f"| {len(judged.episodes)}, +{further} −{lacking} | {len(closed.episodes)} "
        f"| {len(rash.contradicted)} of {len(rash.claimed)} ({rash.contradicted_share:.1%}) | {len(rash.episodes)} |"
    )


def main() -> int:
    """Print a row for each traffic.

    Returns:
        1 when more than ``MOST_CONTRADICTED`` of all verdicts were contradicted outside bursts, or episodes differ.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0, help="of virtual time, for each traffic")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="requests a second")
    args = parser.parse_args()
    traffics = [
        Traffic(rate, share, burst=burst) for burst, rate, share in itertools.product((1.0, 3.0), args.rates, SHARES)
    ]
    seconds = round(args.hours * 3_600)
    print(
        "| requests/s | bad | bursts | contradicted | episodes | of closed panes | lag alone: contradicted | episodes |"
    )
    print("|---|---|---|---|---|---|---|---|")
    claimed = contradicted = different = 0
    with ProcessPoolExecutor(args.processes) as pool:
        results = pool.map(simulate, traffics, itertools.repeat(seconds), range(len(traffics)))
        for traffic, found in zip(traffics, results, strict=True):
            print(shown(traffic, found), flush=True)
            if traffic.burst == 1:
                claimed += len(found["alerter"].claimed)
                contradicted += len(found["alerter"].contradicted)
                different += len(found["alerter"].episodes ^ found["closed"].episodes)
    print(f"outside bursts: {contradicted} of {claimed} verdicts contradicted; {different} episodes differ")
    return int(contradicted > MOST_CONTRADICTED * claimed or different > contradicted)


if __name__ == "__main__":
    raise SystemExit(main())
