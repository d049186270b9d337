"""Writes crates/catscan/tests/golden/stats.json: what scipy says for the statistics of a study.

Run: python3 scripts/golden/stats.py   (needs scipy and numpy; any recent version)
"""

import json
import pathlib
import platform

import numpy
import scipy
from scipy import stats

SEED_VALUES = [
    [0.8725, 0.8875],
    [0.8625, 0.87, 0.9025],
    [0.91, 0.905, 0.8975, 0.92, 0.8925],
    [0.5, 0.5, 0.5],
]
SHARES = [(0, 10), (10, 10), (347, 400), (3634, 4000), (1, 3)]
DISCORDANT = [(0, 0), (5, 5), (3, 14), (40, 22), (0, 6), (181, 240)]


def t_case(values):
    n = len(values)
    mean = float(numpy.mean(values))
    error = float(numpy.std(values, ddof=1) / numpy.sqrt(n))
    low, high = (mean, mean) if error == 0 else stats.t.interval(0.95, n - 1, mean, error)
    return {"values": values, "mean": mean, "low": float(low), "high": float(high)}


def wilson_case(successes, trials):
    interval = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return {"successes": successes, "trials": trials, "low": interval.low, "high": interval.high}


def mcnemar_case(only_first, only_second):
    trials = only_first + only_second
    p = 1.0 if trials == 0 else stats.binomtest(only_first, trials, 0.5).pvalue
    return {"only_first": only_first, "only_second": only_second, "p": float(p)}


def bootstrap_case():
    """Differences of correctness over 400 pictures and two seeds: -1, -0.5, 0, 0.5 or 1 each."""
    differences = numpy.repeat([-1.0, -0.5, 0.0, 0.5, 1.0], [6, 20, 300, 52, 22])
    result = stats.bootstrap((differences,), numpy.mean, n_resamples=100_000, method="percentile",
                             rng=numpy.random.default_rng(1))
    interval = result.confidence_interval
    return {"values": differences.tolist(), "low": float(interval.low),
            "high": float(interval.high)}


golden = {
    "made_by": {"script": "scripts/golden/stats.py", "python": platform.python_version(),
                "scipy": scipy.__version__, "numpy": numpy.__version__},
    "t_interval": [t_case(values) for values in SEED_VALUES],
    "wilson": [wilson_case(*case) for case in SHARES],
    "mcnemar": [mcnemar_case(*case) for case in DISCORDANT],
    "bootstrap": bootstrap_case(),
}
target = pathlib.Path(__file__).parents[2] / "crates/catscan/tests/golden/stats.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(golden) + "\n")
print(f"wrote {target.name}, {target.stat().st_size} bytes")
