#!/usr/bin/env bash
# The tables of apps/slateq/README.md: benchmarks/slateq_results.sh OUT
# Interrupted, it goes on where it stopped. LMGT names the command (default: lmgt).
set -euo pipefail
out=$1
lmgt=${LMGT:-lmgt}
seeds=(--seeds 0 1 2)

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

# A: the paper's table, and every learned policy with a valued no-click, at 10 candidates and slates of 3.
learned=(SARSA-TS SARSA-GS QL-TT-TS QL-GT-GS QL-OT-TS QL-OT-GS QL-OT-OS)
policies=Random,MYOP-TS,MYOP-GS,quality
for name in "${learned[@]}" "${learned[@]/%/-N}"; do
    train "a/$name" --policy "$name"
    policies+=,$out/a/$name
done
train a/full-slate --policy full-slate
train a/tabular --policy tabular
train a/tabular-N --policy tabular-N
evaluate a/evaluation "$policies,$out/a/full-slate,$out/a/tabular,$out/a/tabular-N"

# B: other numbers of candidates.
for shape in "10 2" "20 3" "50 2"; do
    read -r n k <<<"$shape"
    for name in QL-TT-TS QL-OT-OS QL-OT-OS-N; do
        train "b/$n-$k/$name" --policy "$name" --candidates "$n" --slate "$k"
    done
    runs=$out/b/$n-$k
    evaluate "b/$n-$k/evaluation" "Random,MYOP-TS,quality,$runs/QL-TT-TS,$runs/QL-OT-OS,$runs/QL-OT-OS-N" \
        --candidates "$n" --slate "$k"
done

# C: judges, eight users at a time so that the first episodes can be told apart.
judged=(--policy QL-OT-OS-N --users 8 --evaluate-episodes 10 50 500 5000)
train c/none "${judged[@]}" --judge none
train c/minilm "${judged[@]}" --judge minilm
train c/minilm-shuffled "${judged[@]}" --judge minilm --vocabulary shuffled
train c/oracle "${judged[@]}" --judge oracle
train c/noisy-.6 "${judged[@]}" --judge noisy-oracle:0.6 --no-gate
train c/noisy-.8 "${judged[@]}" --judge noisy-oracle:0.8 --no-gate
rows=(); for name in none minilm minilm-shuffled oracle noisy-.6 noisy-.8; do rows+=("$out/c/$name"); done
"$lmgt" report "${rows[@]}" --out "$out/c/report.html"
