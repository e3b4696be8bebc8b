#!/usr/bin/env python3
"""Runs commands in turn, A B A B ..., and compares their last JSON lines.

    python benches/peers/compare.py --rounds 5 -- "CMD_A" "CMD_B" ["CMD_C" ...]

Each command's last line of standard output that is a JSON object must hold
cpu_seconds, wall_seconds and peak_rss_mb. Ratios are taken within a round
(the first command over the other) and their median is printed, so that a slow
spell of the machine falls on both. The last line printed is a JSON object.
"""
import argparse
import json
import shlex
import statistics
import subprocess
import sys

KEYS = ("cpu_seconds", "wall_seconds", "peak_rss_mb")


def last_json(text):
    for line in reversed(text.splitlines()):
        try:
            d = json.loads(line)
        except ValueError:
            continue
        if isinstance(d, dict):
            return d
    return None


def run(command):
    p = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    d = last_json(p.stdout)
    if p.returncode != 0 or d is None or any(k not in d for k in KEYS):
        sys.stderr.write(p.stdout[-2000:] + p.stderr[-2000:])
        sys.exit(f"compare: exit status {p.returncode}, no usable JSON line: {command}")
    return d


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--reverse", action="store_true", help="turn the order round every other round")
    ap.add_argument("commands", nargs="+")
    args = ap.parse_args()
    if len(args.commands) < 2 or args.rounds < 1:
        ap.error("at least two commands and one round")
    names = [chr(ord("A") + i) for i in range(len(args.commands))]
    got = {n: [] for n in names}
    for r in range(args.rounds):
        order = list(zip(names, args.commands))
        for n, c in reversed(order) if args.reverse and r % 2 else order:
            d = run(c)
            got[n].append(d)
            print(f"round {r + 1} {n}: " + "  ".join(f"{k} {d[k]:.6g}" for k in KEYS), file=sys.stderr, flush=True)

    med = {n: {k: statistics.median(d[k] for d in got[n]) for k in KEYS} for n in names}
    span = {n: {k: [min(d[k] for d in got[n]), max(d[k] for d in got[n])] for k in KEYS} for n in names}
    for n, c in zip(names, args.commands):
        print(f"{n}: {c}")
        for k in KEYS:
            print(f"   {k:13s} median {med[n][k]:.6g}   from {span[n][k][0]:.6g} to {span[n][k][1]:.6g}")
    ratios = {}
    for n in names[1:]:
        ratios[f"A/{n}"] = {}
        for k in KEYS:
            q = [a[k] / b[k] for a, b in zip(got["A"], got[n]) if b[k]]
            if q:
                ratios[f"A/{n}"][k] = dict(median=round(statistics.median(q), 4), min=round(min(q), 4), max=round(max(q), 4))
                print(f"A/{n} {k:13s} median of ratios {statistics.median(q):.3f}   from {min(q):.3f} to {max(q):.3f}")
    print(json.dumps(dict(rounds=args.rounds, commands=dict(zip(names, args.commands)), medians=med, ratios=ratios)))


main()
