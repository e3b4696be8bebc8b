#!/usr/bin/env bash
# How does the measured gap compare with the theorem's bound? Sampled SG-MRL and MAML, with a step the theorem allows, on a small
# garnet family without an outer baseline, which is the theorem's estimator; the gap is measured by Rao-Blackwell samples, with intervals; 5 seeds. A minute or two.
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

$stillpoint stationarity garnet --set family.states=3 --set family.actions=2 --set family.horizon=2 --set family.branching=2 \
  --set family.tasks=5 --set outer.baseline=none --dynamics sampled --estimators sgmrl,maml --alpha 0.1 --inner-batch 2 --outer-batch 1 \
  --tasks-per-batch 200 --beta 0.03 --iterations 3000 --gap-every 50 --gap-method rao-blackwell --seeds 5 \
  --epsilon 0.03,0.025 --out "$work/study" -q | tee "$out/output.txt"
$stillpoint report "$work/study" -q
for kind in svg csv; do
  for name in gap bound; do cp "$work/study/report/$name.$kind" "$out/$name.$kind"; done
done
