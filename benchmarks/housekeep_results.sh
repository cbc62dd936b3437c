#!/usr/bin/env bash
# Every figure of apps/housekeep/README.md: benchmarks/housekeep_results.sh DATA OUT
# DATA holds human_votes.npy, object_splits.yaml and episodes/{train,val,test}/*.json.gz; OUT gets runs and tables.
# Interrupted, it goes on where it stopped. Two seeds are trained at a time.
set -euo pipefail
data=$1 out=$2
labels=(--votes "$data/human_votes.npy" --splits "$data/object_splits.yaml")
seeds=(--seeds 0 1 2 3 4 --workers 2)
scene=$data/episodes/train/Pomaria_2_int.json.gz
lmgt=${LMGT:-lmgt}

train() { # name, arguments...
    local run=$out/$1; shift
    [ -f "$run/summary.json" ] && return
    local resume=(); [ -f "$run/config.json" ] && resume=(--resume)
    "$lmgt" housekeep train "${labels[@]}" "${seeds[@]}" --out "$run" "${resume[@]}" "$@"
}

# A: learning in one apartment, sparse reward; evaluated on other episodes of it.
table_a=(--episodes "$scene" --select 0:800 --evaluate-select 800:1000 --steps 4000 --evaluate-count 10)
train a/oracle "${table_a[@]}" --judge oracle
train a/preference "${table_a[@]}" --judge preference
train a/none "${table_a[@]}" --judge none
train a/minilm "${table_a[@]}" --judge minilm
train a/noisy-.65 "${table_a[@]}" --judge noisy-oracle:0.65 --no-gate
train a/noisy-.8 "${table_a[@]}" --judge noisy-oracle:0.8 --no-gate
train a/none-dense "${table_a[@]}" --judge none --reward dense
train a/minilm-no-gate "${table_a[@]}" --judge minilm --no-gate
rows=(); for name in none minilm minilm-no-gate preference noisy-.65 noisy-.8 oracle none-dense; do
    rows+=("$out/a/$name")
done
[ -f "$out/a.json" ] || "$lmgt" housekeep evaluate "${rows[@]}" --episodes "$scene" --select 800:1000 \
    --votes "$data/human_votes.npy" --workers 2 --json "$out/a.json"
"$lmgt" report "${rows[@]}" --out "$out/a.html"

# B: transfer to unseen apartments and objects.
homes=("$data"/episodes/train/{Benevolence_2,Pomaria_0,Pomaria_2}_int.json.gz)
table_b=(--episodes "${homes[@]}" --select 0:800 --evaluate-select 800:1000 --steps 12000 --evaluate-count 9 --evaluate-every 4000)
train b "${table_b[@]}" --judge preference
transfer() { # apartment, positions
    [ -f "$out/b-${1#*/}.json" ] || "$lmgt" housekeep evaluate "$out/b" --workers 2 --select "$2" \
        --episodes "$data/episodes/$1_int.json.gz" --votes "$data/human_votes.npy" --json "$out/b-${1#*/}.json"
}
transfer val/Ihlen_1 ::4
transfer test/Ihlen_0 ::4

# C: primitive actions on pixels, short: that the loop runs, and how fast.
[ -f "$out/c/summary.json" ] || "$lmgt" housekeep train "${labels[@]}" --episodes "$scene" --select 0:800 --judge oracle \
    --action-space primitive --algorithm dqn --steps 1500 --evaluate-every 1500 --evaluate-count 1 --seeds 0 --out "$out/c"
