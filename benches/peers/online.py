"""`stillpoint online` beside Stable-Baselines3's A2C on Pong: alternating rounds, medians, ratios per CPU-second.

python benches/peers/online.py --peer PYTHON [--binary target/release/stillpoint] [--rounds 3] [--updates 150] [--threads 2]
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WARM = 30


def ours(binary, updates, threads):
    """Rows of a run after its warm-up: with learned gamma and lambda, or of its fixed twin; the gap log is on, as by default."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        sets = [f"updates={updates + WARM}", "average=1"]
        command = [binary, "online", "atari-pong", "--twin", "--out", str(out), "-q"]
        command += [word for s in sets for word in ("--set", s)]
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        found = {}
        for name, path in (("meta", out), ("plain", Path(f"{out}-twin"))):
            rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()][WARM:]
            frames = rows[-1]["frames"] - rows[0]["frames"]
            for key in ("cpu_seconds", "seconds"):
                found[name, key] = frames / sum(row[key] for row in rows[1:])
            quiet = [row["cpu_seconds"] for row in rows if "gap" not in row]
            loud = [row["cpu_seconds"] for row in rows if "gap" in row]
            every = len(rows) / max(len(loud), 1)
            extra = (statistics.median(loud) - statistics.median(quiet)) / every if loud else 0.0
            found[name, "gap_share"] = extra / (statistics.median(quiet) + extra)
        return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True)
    parser.add_argument("--binary", default="target/release/stillpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    rounds = []
    for _ in range(a.rounds):
        peer = subprocess.run(
            [a.peer, str(HERE / "sb3_a2c.py"), "--updates", str(a.updates), "--threads", str(a.threads)],
            check=True, capture_output=True, text=True,
        )
        rounds.append((ours(a.binary, a.updates, a.threads), json.loads(peer.stdout.splitlines()[-1])))
    median = statistics.median
    peer_cpu = median(p["frames_per_cpu_second"] for _, p in rounds)
    peer_wall = median(p["frames_per_second"] for _, p in rounds)
    print(f"Stable-Baselines3 A2C: {peer_cpu:.0f} frames per CPU-second, {peer_wall:.0f} per second")
    for name in ("plain", "meta"):
        cpu = median(o[name, "cpu_seconds"] for o, _ in rounds)
        wall = median(o[name, "seconds"] for o, _ in rounds)
        ratio = median(o[name, "cpu_seconds"] / p["frames_per_cpu_second"] for o, p in rounds)
        wall_ratio = median(o[name, "seconds"] / p["frames_per_second"] for o, p in rounds)
        gap = median(o[name, "gap_share"] for o, _ in rounds)
        print(f"{name:6} {cpu:.0f} per CPU-second (x {ratio:.2f}), {wall:.0f} per second (x {wall_ratio:.2f}); gap log {100 * gap:.1f} %")
    update = median(o["plain", "cpu_seconds"] / o["meta", "cpu_seconds"] for o, _ in rounds)
    print(f"an update with meta-gradient costs {update:.2f} plain ones, gap log included in both")


if __name__ == "__main__":
    main()
