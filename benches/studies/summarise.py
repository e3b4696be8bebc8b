#!/usr/bin/env python3
"""Results of benches/studies/classic-control.sh, with Python's standard library alone.

  summarise.py collect RUNS "FAMILY ..." "SEED ..."   one CSV row per family and seed
  summarise.py table CSV                              Markdown: means and t intervals over seeds
"""

import csv
import json
import math
import pathlib
import statistics
import sys

COLUMNS = ["family", "seed", "iterations", "before", "after", "gain", "initial_before", "initial_after", "initial_gain"]


def returns(path):
    """Iterations of the run, and mean undiscounted return before and after adaptation."""
    report = json.loads(path.read_text())
    means = [r["mean"] for r in report["evaluations"][0]["returns"]]
    return report["iteration"], means[0], means[-1]


def collect(runs, families, seeds):
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for family in families.split():
        for seed in seeds.split():
            _, *initial = returns(pathlib.Path(runs) / f"{family}-{seed}-0.json")
            iterations, *final = returns(pathlib.Path(runs) / f"{family}-{seed}-trained.json")
            numbers = [*final, final[1] - final[0], *initial, initial[1] - initial[0]]
            out.writerow([family, seed, iterations, *(f"{x:.3f}" for x in numbers)])


def t_tail(t, df):
    """P(T > t) of Student's t, by Simpson's rule on the density from 0 to t."""
    c = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    n = 2000
    h = t / n
    f = [c * (1 + (i * h) ** 2 / df) ** (-(df + 1) / 2) for i in range(n + 1)]
    return 0.5 - h / 3 * (f[0] + f[-1] + 4 * sum(f[1:-1:2]) + 2 * sum(f[2:-1:2]))


def t_quantile(df, confidence=0.95):
    low, high = 0.0, 1000.0
    for _ in range(80):
        middle = (low + high) / 2
        if t_tail(middle, df) > (1 - confidence) / 2:
            low = middle
        else:
            high = middle
    return low


def interval(xs):
    mean = statistics.fmean(xs)
    if len(xs) < 2:
        return mean, math.nan, math.nan
    half = t_quantile(len(xs) - 1) * statistics.stdev(xs) / math.sqrt(len(xs))
    return mean, mean - half, mean + half


def table(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    print("| family | seeds | iterations | before | after | gain | seeds with gain > 0 | gain of the initial policy | after: trained less initial |")
    print("|---|---|---|---|---|---|---|---|---|")
    for family in dict.fromkeys(r["family"] for r in rows):
        own = [r for r in rows if r["family"] == family]
        cell = lambda xs: "{:.1f} [{:.1f}, {:.1f}]".format(*interval(xs))
        column = lambda name: [float(r[name]) for r in own]
        learnt = [a - b for a, b in zip(column("after"), column("initial_after"))]
        print(
            "|",
            " | ".join(
                [
                    family,
                    str(len(own)),
                    "/".join(dict.fromkeys(r["iterations"] for r in own)),
                    cell(column("before")),
                    cell(column("after")),
                    cell(column("gain")),
                    f"{sum(x > 0 for x in column('gain'))} of {len(own)}",
                    cell(column("initial_gain")),
                    cell(learnt),
                ]
            ),
            "|",
        )


if __name__ == "__main__":
    commands = {"collect": (collect, 3), "table": (table, 1)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands or len(sys.argv) - 2 != commands[sys.argv[1]][1]:
        sys.exit(__doc__)
    commands[sys.argv[1]][0](*sys.argv[2:])
