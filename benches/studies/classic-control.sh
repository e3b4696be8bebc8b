#!/usr/bin/env bash
# Do the classic-control presets learn to adapt? Trains each with several seeds, evaluates every run
# on fresh tasks and writes one CSV row per family and seed. Runs that are there are kept:
# an interrupted study goes on where it stopped. Delete RUNS to start afresh.
#
#   benches/studies/classic-control.sh [RUNS [CSV]]
#
# Environment: STILLPOINT, the binary (target/release/stillpoint); SEEDS ("1 2 3 4 5");
# FAMILIES (all five); TASKS, fresh tasks per evaluation (200), the same for every run.
set -euo pipefail
cd "$(dirname "$0")/../.."

runs=${1:-runs/classic-control}
csv=${2:-benches/results/classic-control/results.csv}
stillpoint=${STILLPOINT:-target/release/stillpoint}
families=${FAMILIES:-cartpole acrobot mountain-car mountain-car-continuous pendulum}
seeds=${SEEDS:-1 2 3 4 5}
tasks=${TASKS:-200}

mkdir -p "$runs" "$(dirname "$csv")"
for family in $families; do
  for seed in $seeds; do
    run=$runs/$family-$seed
    for stage in 0 trained; do
      json=$run-$stage.json
      [ -s "$json" ] && continue
      rm -rf "$run-$stage"
      more=()
      [ "$stage" = 0 ] && more=(--iterations 1 --set outer.beta=1e-12) # a step too small to matter: the initial policy
      "$stillpoint" train "configs/train/$family.toml" --seed "$seed" --out "$run-$stage" -q "${more[@]}" >"$run-$stage.log"
      "$stillpoint" evaluate "$run-$stage" --tasks "$tasks" --json >"$json.part"
      mv "$json.part" "$json"
      echo "$family, seed $seed, $stage: done in $SECONDS s" >&2
    done
  done
done

# shellcheck disable=SC2086
python3 benches/studies/summarise.py collect "$runs" "$families" "$seeds" >"$csv.part"
mv "$csv.part" "$csv"
python3 benches/studies/summarise.py table "$csv"
