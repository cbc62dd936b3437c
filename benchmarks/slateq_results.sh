#!/usr/bin/env bash
# The tables of apps/slateq/README.md: benchmarks/slateq_results.sh OUT
# Interrupted, it goes on where it stopped. LMGT names the command (default: lmgt), WORKERS the seeds trained at a time (2).
set -euo pipefail
out=$1
lmgt=${LMGT:-lmgt}
seeds=(--seeds 0 1 2 --workers "${WORKERS:-2}")

train() { # name, arguments...
    local run=$out/$1; shift
    [ -f "$run/summary.json" ] && return
    local resume=(); [ -f "$run/config.json" ] && resume=(--resume)
    "$lmgt" slateq train "${seeds[@]}" --out "$run" "${resume[@]}" "$@"
}

evaluate() { # name, policies, arguments...
    local name=$1 policies=$2; shift 2
    [ -f "$out/$name/rows.json" ] || "$lmgt" slateq evaluate --policies "$policies" --users 5000 --out "$out/$name" "$@"
}

# A: the paper's table, and the two best -N policies, at 10 candidates and slates of 3.
policies=Random,MYOP-TS,MYOP-GS,quality
for policy in SARSA-TS SARSA-GS QL-TT-TS QL-GT-GS QL-OT-TS QL-OT-GS QL-OT-OS QL-OT-GS-N QL-OT-OS-N; do
    train "a/$policy" --algorithm "$policy" --judge none --steps 300000
    policies+=,$out/a/$policy
done
evaluate a/evaluation "$policies"

# B: other numbers of candidates.
for shape in "10 2" "20 3" "50 2"; do
    read -r n k <<<"$shape"
    steps=300000; [ "$n" = 10 ] && steps=120000 # RLlib's two targets
    names=Random,MYOP-TS,quality
    for policy in QL-TT-TS QL-OT-GS QL-OT-GS-N; do
        train "b/$n-$k/$policy" --algorithm "$policy" --judge none --candidates "$n" --slate "$k" --steps "$steps"
        names+=,$out/b/$n-$k/$policy
    done
    evaluate "b/$n-$k/evaluation" "$names" --candidates "$n" --slate "$k"
done

# C: judges. Early: eight users at a time and a short warm-up, so that the first sessions can be told apart.
judged() { # name, arguments...
    local name=$1; shift
    train "c/early/$name" --algorithm QL-TT-TS --users 8 --agent.warm-up 200 --steps 40000 --evaluate-episodes 10 50 500 "$@"
    train "c/late/$name" --algorithm QL-TT-TS --steps 340000 --evaluate-episodes 500 5000 "$@"
}
judged none --judge none
judged minilm --judge minilm
judged oracle --judge oracle # privileged
judged minilm-shuffled --judge minilm --vocabulary shuffled --no-gate
judged noisy-.6 --judge noisy-oracle:0.6 --no-gate
judged noisy-.8 --judge noisy-oracle:0.8 --no-gate
for judge in none minilm oracle; do
    train "c/late-N/$judge" --algorithm QL-OT-GS-N --steps 300000 --judge "$judge"
done
