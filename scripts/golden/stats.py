"""Writes crates/catscan/tests/golden/stats.json: what scipy says for the statistics of a study.

Run: python3 scripts/golden/stats.py   (needs scipy, statsmodels and numpy; any recent version)
"""

import itertools
import json
import pathlib
import platform

import numpy
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

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


# Pictures of 1,000 told right: a row a seed, a column an arm, the last factor changing fastest.
FACTORIAL = [
    [[861, 873, 902, 925], [870, 869, 911, 918], [855, 880, 899, 931]],
    [[700, 745, 880, 901, 731, 760, 892, 915], [712, 738, 877, 905, 719, 771, 889, 921],
     [695, 751, 884, 899, 740, 752, 897, 910], [705, 740, 879, 908, 728, 766, 886, 917]],
]


def factorial_case(right):
    """Main effects, then interactions of two as differences of differences, each a contrast of one
    seed's arms; checked against least squares on -1/+1 columns with a column a seed."""
    accuracy = numpy.array(right) / 1000
    seeds, arms = accuracy.shape
    factors = arms.bit_length() - 1
    levels = numpy.array(list(itertools.product([-1, 1], repeat=factors)))
    subsets = [(i,) for i in range(factors)] + list(itertools.combinations(range(factors), 2))
    columns = {s: levels[:, s].prod(axis=1) for n in range(1, factors + 1)
               for s in itertools.combinations(range(factors), n)}
    design = numpy.column_stack([numpy.tile(column, seeds) for column in columns.values()]
                                + [numpy.repeat(numpy.eye(seeds), arms, axis=0)])
    fitted = dict(zip(columns, numpy.linalg.lstsq(design, accuracy.ravel(), rcond=None)[0]))
    effects = []
    for subset in subsets:
        by_seed = accuracy @ columns[subset] / 2 ** (factors - len(subset))
        # A coefficient of least squares is the effect of half a step in each of its factors.
        assert abs(by_seed.mean() - fitted[subset] * 2 ** len(subset)) < 1e-12
        effects.append({"factors": list(subset)} | {key: value for key, value in
                       t_case(by_seed.tolist()).items() if key != "values"})
    return {"right": right, "effects": effects}


P_VALUES = [[0.03], [0.01, 0.04, 0.03], [0.5, 0.001, 0.02, 0.02, 0.9], [0.04, 0.6, 0.7]]
DIFFERENCES = [[0.01, 0.03], [0.02, -0.01, 0.03], [0.01, 0.02, 0.015, -0.005, 0.03],
               [0.004, -0.012, 0.0075, 0.02, 0.001, 0.0, 0.013, -0.002]]
EFFECTS = [(0.5, 3), (2.0, 3), (1.2, 5), (0.3, 20), (5.0, 2)]


def holm_case(p):
    return {"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()}


def seed_test_case(differences):
    zeros = numpy.zeros(len(differences))
    permuted = stats.permutation_test((differences,), numpy.mean, permutation_type="samples",
                                      n_resamples=numpy.inf)
    return {"differences": differences,
            "t_p": float(stats.ttest_rel(differences, zeros).pvalue),
            "permutation_p": float(permuted.pvalue)}


def t_power(effect, n):
    """Of the two-sided paired t test at 5 %, by scipy's noncentral t."""
    critical, shift = stats.t.ppf(0.975, n - 1), effect * numpy.sqrt(n)
    # scipy's far tail is NaN where it is below 1e-20.
    tail = numpy.nan_to_num(stats.nct.cdf(-critical, n - 1, shift))
    return stats.nct.sf(critical, n - 1, shift) + tail


def power_case(effect, n):
    detectable = scipy.optimize.brentq(lambda e: t_power(e, n) - 0.8, 0.01, 50, xtol=1e-13)
    return {"effect": effect, "n": n, "power": float(t_power(effect, n)),
            "detectable": float(detectable)}


def seeds_case(effect):
    n = TTestPower().solve_power(effect, power=0.8, alpha=0.05)
    return {"effect": effect, "n": max(2, int(numpy.ceil(n)))}


golden = {
    "made_by": {"script": "scripts/golden/stats.py", "python": platform.python_version(),
                "scipy": scipy.__version__, "numpy": numpy.__version__,
                "statsmodels": statsmodels.__version__},
    "t_interval": [t_case(values) for values in SEED_VALUES],
    "wilson": [wilson_case(*case) for case in SHARES],
    "mcnemar": [mcnemar_case(*case) for case in DISCORDANT],
    "bootstrap": bootstrap_case(),
    "holm": [holm_case(p) for p in P_VALUES],
    "seed_tests": [seed_test_case(differences) for differences in DIFFERENCES],
    "power": [power_case(*case) for case in EFFECTS],
    "seeds_needed": [seeds_case(effect) for effect in (0.2, 0.5, 0.8, 1.3, 2.5)],
    "factorial": [factorial_case(right) for right in FACTORIAL],
}
target = pathlib.Path(__file__).parents[2] / "crates/catscan/tests/golden/stats.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(golden) + "\n")
print(f"wrote {target.name}, {target.stat().st_size} bytes")
