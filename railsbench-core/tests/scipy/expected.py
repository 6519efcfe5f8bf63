#!/usr/bin/env python3
"""Writes expected.json: data, and what NumPy and SciPy make of them."""

import json
import pathlib

import numpy as np
import scipy
from scipy import stats

rng = np.random.default_rng(20261125)


def floats(values):
    return [float(value) for value in values]


def interval(result):
    return floats(result.confidence_interval(0.95))


def order_statistics():
    cases = []
    for size in (1, 2, 5, 40, 101):
        values = rng.lognormal(-4, 0.2, size)
        shares = [0.0, 0.025, 0.25, 0.5, 0.9, 1.0]
        cases.append({
            "values": floats(values),
            "shares": shares,
            "quantiles": floats(np.quantile(values, shares, method="linear")),
            "median": float(np.median(values)),
            "deviation": float(stats.median_abs_deviation(values, scale=1 / 1.4826)),
        })
    return cases


def student():
    cases = []
    for degrees in (1, 1.5, 2, 2.94, 4, 7.3, 9, 29, 120, 1500):
        for tail in (0.25, 0.05, 0.025, 0.005, 0.00025, 1e-6):
            t = float(stats.t.isf(tail, degrees))
            cases.append({
                "degrees": degrees, "tail": tail, "t": t,
                "two_sided": float(2 * stats.t.sf(t, degrees)),
                "two_sided_at_twice": float(2 * stats.t.sf(2 * t, degrees)),
            })
    return cases


def means():
    """One mean, two means (Welch), and paired ones."""
    cases = []
    for size, other in ((2, 2), (3, 5), (5, 5), (7, 4), (9, 9)):
        a, b = rng.normal(-3, 0.05, size), rng.normal(-3.1, 0.12, other)
        one, two = stats.ttest_1samp(a, -3), stats.ttest_ind(a, b, equal_var=False)
        case = {
            "a": floats(a), "b": floats(b),
            "one": {"interval": interval(one), "p": float(one.pvalue)},
            "two": {"interval": interval(two), "p": float(two.pvalue), "degrees": float(two.df)},
        }
        if size == other:
            paired = stats.ttest_rel(a, b)
            case["paired"] = {"interval": interval(paired), "p": float(paired.pvalue)}
        cases.append(case)
    return cases


def bca():
    """Plain BCa of one mean and of a difference of two, on SciPy's own resamples."""
    cases = []
    a, b = rng.gamma(2, 0.1, 14), rng.gamma(1, 0.1, 11)
    for groups, statistic in (
        ((a,), lambda a, axis: a.mean(axis=axis)),
        ((a, b), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis)),
    ):
        result = stats.bootstrap(groups, statistic, n_resamples=499, method="BCa",
                                 confidence_level=0.95, rng=np.random.default_rng(1))
        cases.append({
            "groups": [floats(group) for group in groups],
            "replicates": floats(result.bootstrap_distribution),
            "reach": float(stats.norm.isf(0.025)),
            "interval": floats(result.confidence_interval),
        })
    return cases


def holm():
    chances = floats(rng.uniform(0, 0.2, 8) ** 2)
    order = sorted(range(8), key=lambda i: chances[i])
    adjusted = [0.0] * 8
    for rank, i in enumerate(order):
        adjusted[i] = max(min(1.0, (8 - k) * chances[j]) for k, j in enumerate(order[:rank + 1]))
    return {"chances": chances, "adjusted": adjusted}


def pettitt():
    """From the definition: the largest |sum of sign(x_j - x_i)| over i <= t < j."""
    cases = []
    for step in (0.0, 0.5, 1.0, 3.0):
        x = rng.normal(0, 1, 40) + step * (np.arange(40) >= 13)
        signs = np.sign(x[None, :] - x[:, None])
        largest = max(abs(signs[:t, t:].sum()) for t in range(1, 40))
        chance = min(1.0, 2 * np.exp(-6 * largest**2 / (40**3 + 40**2)))
        cases.append({"values": floats(x), "chance": float(chance)})
    return cases


def components():
    """Four machines of three tasks; with F = MSB/MSW, MSB = MSW + 3 x the machines' variance."""
    values = rng.normal(0, 0.05, 4)[:, None] + rng.normal(0, 0.02, (4, 3))
    within = float(values.var(axis=1, ddof=1).mean())
    ratio = float(stats.f_oneway(*values).statistic)
    return {"values": [floats(row) for row in values], "task": within ** 0.5,
            "machine": (within * (ratio - 1) / 3) ** 0.5}


def campaign():
    """Two types, from times to intervals."""
    types = []
    for seconds, machines in ((0.02, 5), (0.017, 4)):
        times = seconds * np.exp(rng.normal(0, 0.05, (machines, 1, 1))
                                 + rng.normal(0, 0.02, (machines, 2, 1))
                                 + rng.normal(0, 0.03, (machines, 2, 15)))
        logs = np.log(np.median(times, axis=2)).mean(axis=1)
        types.append((times, logs))
    (a, a_logs), (b, b_logs) = types
    ratio = stats.ttest_ind(a_logs, b_logs, equal_var=False)
    return {
        "a": a.tolist(), "b": b.tolist(),
        "time": float(stats.gmean(stats.gmean(np.median(a, axis=2), axis=1))),
        "interval": floats(np.exp(interval(stats.ttest_1samp(a_logs, 0)))),
        "speed": float(np.exp(a_logs.mean() - b_logs.mean())),
        "speed_interval": floats(np.exp(interval(ratio))),
        "p": float(ratio.pvalue),
        "detectable": float(np.expm1(
            (stats.t.isf(0.025, ratio.df) + stats.t.isf(0.2, ratio.df))
            * np.sqrt(a_logs.var(ddof=1) / 5 + b_logs.var(ddof=1) / 4))),
    }


expected = {
    "made_with": {"numpy": np.__version__, "scipy": scipy.__version__},
    "order_statistics": order_statistics(), "student": student(), "means": means(), "bca": bca(),
    "holm": holm(), "pettitt": pettitt(), "components": components(), "campaign": campaign(),
}
path = pathlib.Path(__file__).with_name("expected.json")
path.write_text(json.dumps(expected, indent=0) + "\n")
