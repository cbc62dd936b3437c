#!/usr/bin/env bash
# The tables of apps/slateq/README.md: benchmarks/slateq_results.sh OUT
# Interrupted, it goes on where it stopped. Two seeds are trained at a time. LMGT names the command (default: lmgt).
set -euo pipefail
out=$1
lmgt=${LMGT:-lmgt}
training=(--steps 300000 --seeds 0 1 2 --workers 2)
runs=()

train() { # name, arguments...
    local run=$out/$1; shift
    runs+=("$run")
    [ -f "$run/summary.json" ] && return
    local resume=(); [ -f "$run/config.json" ] && resume=(--resume)
    "$lmgt" slateq train "${training[@]}" --out "$run" "${resume[@]}" "$@"
}

# The policies, at 10 candidates and slates of 3.
for policy in QL-TT-TS QL-OT-GS-N QL-OT-GS SARSA-TS SARSA-GS QL-GT-GS QL-OT-TS QL-OT-OS; do
    train "$policy" --policy "$policy" --judge none
done

# Judges: returns after the first sessions are in each run's learning curve.
judged=(--policy QL-OT-GS-N --evaluate-episodes 10 50 500 5000)
train lmgt/none "${judged[@]}" --judge none
train lmgt/minilm "${judged[@]}" --judge minilm
train lmgt/oracle "${judged[@]}" --judge oracle # privileged
train lmgt/noisy-.6 "${judged[@]}" --judge noisy-oracle:0.6 --no-gate
train lmgt/noisy-.8 "${judged[@]}" --judge noisy-oracle:0.8 --no-gate
train lmgt/minilm-shuffled "${judged[@]}" --judge minilm --vocabulary shuffled --no-gate

# All of them on the same 5,000 users.
[ -f "$out/table.json" ] || "$lmgt" slateq evaluate --users 5000 --out "$out/eval" --json "$out/table.json" \
    --policies "Random,MYOP-TS,MYOP-GS,quality,$(IFS=,; echo "${runs[*]}")"
