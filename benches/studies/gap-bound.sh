#!/usr/bin/env bash
# How does the measured gap compare with the theorem's bound? Sampled SG-MRL and MAML with a step the theorem allows on a
# garnet family (5 states, 3 actions, 5 decisions) too large to enumerate: Rao-Blackwell gaps with intervals, 5 seeds. A few minutes.
#
#   benches/studies/gap-bound.sh [OUT]
#
# Environment: STILLPOINT, the binary (default: cargo run --release).
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${1:-benches/results/gap-bound}
stillpoint=${STILLPOINT:-cargo run --release --locked --quiet --}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

$stillpoint stationarity garnet --set family.states=5 --set family.actions=3 --set family.horizon=5 --set family.tasks=5 \
  --dynamics sampled --estimators sgmrl,maml --alpha 0.1 --inner-batch 2 --outer-batch 1 --tasks-per-batch 20 \
  --beta 0.0036 --iterations 20000 --gap-every 500 --seeds 5 --epsilon 0.1,0.05 --out "$work/study" -q | tee "$out/output.txt"
$stillpoint report "$work/study" -q
for kind in svg csv; do
  for name in gap bound; do cp "$work/study/report/$name.$kind" "$out/$name.$kind"; done
done
