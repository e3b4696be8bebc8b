#!/usr/bin/env bash
# The estimators on 2D navigation at an equal budget of environment steps: the suite configs/compare/navigation.toml and its
# report. 85 CPU-minutes on a 2-core Zen 5 machine; go on with it after an interruption by the same command.
#
#   benches/studies/navigation.sh [SUITE_DIRECTORY [OUT]]
#
# Environment: STILLPOINT, the binary (default: cargo run --release).
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=${1:-runs/navigation-suite}
out=${2:-benches/results/navigation}
stillpoint=${STILLPOINT:-cargo run --release --locked --quiet --}
mkdir -p "$out"
more=()
[ -e "$suite/suite.json" ] && more=(--resume)

$stillpoint compare navigation --out "$suite" -q "${more[@]}" >"$out/output.txt"
$stillpoint report "$suite" -q >>"$out/output.txt"
for file in learning-one-step differences; do
  for kind in svg csv; do cp "$suite/report/$file.$kind" "$out/"; done
done
cp "$suite"/report/table-*.csv "$out/"
cat "$out/output.txt"
