#!/usr/bin/env python3
"""Times the trainer's convolutional networks beside PyTorch's, in turn within one run.

    cargo build --release --example networks
    peers-venv/bin/python benches/peers/networks.py --rounds 5 --ours target/release/examples/networks

For each architecture every round runs the trainer, PyTorch in its default layout and
PyTorch in channels-last, in one thread each; ratios (ours over theirs) are taken within a
round, so that a slow spell of the machine falls on all. The last line printed is a JSON
object with medians and ranges.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("default", "channels-last")
SHOWN = (("cpu_seconds", "forward + backward"), ("acting_cpu_seconds", "acting"))


def run(command):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode != 0:
        sys.exit(f"networks: exit status {p.returncode}: {command}\n{p.stderr[-2000:]}")
    return json.loads(p.stdout.splitlines()[-1])


def spread(x):
    return dict(median=statistics.median(x), min=min(x), max=max(x))


def measure(args, architecture):
    options = ["--architecture", architecture, "--batch", str(args.batch), "--acting", str(args.acting),
               "--repeats", str(args.repeats)]
    rounds = []
    for r in range(args.rounds):
        got = {"ours": run([args.ours, *options])}
        for layout in PEERS:
            got[layout] = run([sys.executable, os.path.join(HERE, "torch_networks.py"), *options, "--layout", layout])
        rounds.append(got)
        print(f"{architecture} round {r + 1}: " + "  ".join(
            f"{name} {1e3 * d['cpu_seconds']:.1f} / {1e3 * d['acting_cpu_seconds']:.2f} ms" for name, d in got.items()),
            file=sys.stderr, flush=True)
    result = {"jvp_over_forward": spread([g["ours"]["jvp_cpu_seconds"] / g["ours"]["forward_cpu_seconds"] for g in rounds])}
    for key, title in SHOWN:
        result[key] = {name: spread([g[name][key] for g in rounds]) for name in ("ours", *PEERS)}
        for layout in PEERS:
            ratio = spread([g["ours"][key] / g[layout][key] for g in rounds])
            result[key][f"ours/{layout}"] = ratio
            ours, theirs = (1e3 * result[key][n]["median"] for n in ("ours", layout))
            print(f"{architecture:15s} {title:19s} ours {ours:8.2f} ms  PyTorch {layout:14s} {theirs:8.2f} ms"
                  f"  ratio {ratio['median']:.3f} ({ratio['min']:.3f} to {ratio['max']:.3f})")
    j = result["jvp_over_forward"]
    print(f"{architecture:15s} JVP over forward {j['median']:.2f} ({j['min']:.2f} to {j['max']:.2f})")
    result["peak_rss_mb"] = {name: max(g[name]["peak_rss_mb"] for g in rounds) for name in ("ours", *PEERS)}
    return result


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--ours", default="target/release/examples/networks")
    ap.add_argument("--architectures", nargs="+", default=["nature", "impala-shallow", "impala-deep"])
    ap.add_argument("--batch", type=int, default=160)
    ap.add_argument("--acting", type=int, default=32)
    ap.add_argument("--repeats", type=int, default=11)
    ap.add_argument("--rounds", type=int, default=5)
    args = ap.parse_args()
    results = {a: measure(args, a) for a in args.architectures}
    print(json.dumps(dict(batch=args.batch, acting=args.acting, rounds=args.rounds, results=results)))


main()
