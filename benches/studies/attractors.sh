#!/usr/bin/env bash
# Where do SG-MRL and MAML stop? Follows the exact expectation of both estimators, without sampling noise, on the three families
# of two-armed bandits whose attractors are known, and draws the gap |grad V| along the way. Seconds.
#
#   benches/studies/attractors.sh [OUT]
#
# Environment: STILLPOINT, the binary (default: cargo run --release).
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${1:-benches/results/attractors}
stillpoint=${STILLPOINT:-cargo run --release --locked --quiet --}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

follow() { # family, alpha, inner episodes
  $stillpoint stationarity "analytic/$1" --alpha "$2" --inner-batch "$3" --beta 2 --iterations 100 --out "$work/$1" -q
  $stillpoint report "$work/$1" -q
  for kind in svg csv; do cp "$work/$1/report/gap.$kind" "$out/gap-$1.$kind"; done
  echo
}
{
  follow a 4 2
  follow b 4 8
  follow c 1 8
} | tee "$out/output.txt"
