#!/usr/bin/env bash
# The trainings of docs/results/gate-trainings.md: benchmarks/gate_trainings.sh OUT [DATA]
# DATA holds human_votes.npy, object_splits.yaml and episodes/train/Pomaria_2_int.json.gz; without it homes are left out.
# Interrupted, it goes on where it stopped. LMGT names the command (default: lmgt): run it once for each revision's gate,
# for the older one with GATED=only, since runs without a gate are the same. WORLDS chooses among
# "cartpole slateq blackjack homes builtin".
set -euo pipefail
out=$1 data=${2:-}
lmgt=${LMGT:-lmgt}
noisy=(noisy-oracle:0.65 noisy-oracle:0.75 noisy-oracle:0.85 noisy-oracle:0.95)

train() { # name, app, arguments...
    local run=$out/$1 app=$2; shift 2
    [ -f "$run/summary.json" ] && return
    local resume=(); [ -f "$run/config.json" ] && resume=(--resume)
    $lmgt "$app" train --seeds 0 1 2 3 4 --out "$run" "${resume[@]}" "$@" > "$run.log" 2>&1 || echo "$run failed: $(tail -1 "$run.log")"
}

judged() { # world, app, strategy of the language model, judges..., --, arguments
    local world=$1 app=$2 words=$3 judges=(); shift 3
    while [ "$1" != -- ]; do judges+=("$1"); shift; done; shift
    mkdir -p "$out/$world"
    for judge in "${judges[@]}"; do
        local strategy=(); [[ $judge = recorded:* ]] && strategy=(--strategy "$words")
        [[ ${GATED:-} = only && $judge =~ ^(none|oracle)$ ]] && continue
        train "$world/${judge//:/-}" "$app" --judge "$judge" "${strategy[@]}" "$@"
        [[ $world = homes && $judge =~ ^(minilm|preference|noisy-oracle:0.75)$ ]] &&
            train "$world/${judge//:/-}-strict" "$app" --judge "$judge" --min-precision .75 "$@"
        [[ ${GATED:-} = only || $judge =~ ^(none|oracle|noisy-oracle:0.[789].*)$ ]] && continue
        train "$world/${judge//:/-}-ungated" "$app" --judge "$judge" "${strategy[@]}" --no-gate "$@"
    done
}

for world in ${WORLDS:-cartpole slateq blackjack homes builtin}; do
    case $world in
    cartpole) judged cartpole control helps none oracle "${noisy[@]}" minilm smollm2 recorded:qwen2.5-coder-1.5b -- \
        --env CartPole-v1 --algorithm dqn --steps 2000 --evaluate-every 1000 ;;
    slateq) judged slateq slateq worth none oracle "${noisy[@]}" minilm recorded:qwen2.5-coder-1.5b -- \
        --algorithm QL-TT-TS --steps 100000 --evaluate-every 50000 ;;
    blackjack) judged blackjack control helps none oracle minilm recorded:qwen2.5-coder-1.5b -- \
        --env Blackjack-v1 --algorithm dqn --steps 2000 --evaluate-every 1000 ;;
    builtin) judged builtin housekeep belongs none minilm -- --episodes builtin:train --evaluate-episodes builtin:val \
        --steps 2000 --evaluate-every 2000 --evaluate-count 20 ;;
    homes) [ -n "$data" ] && judged homes housekeep belongs none oracle "${noisy[@]}" minilm preference \
        recorded:qwen2.5-coder-1.5b -- --votes "$data/human_votes.npy" --splits "$data/object_splits.yaml" \
        --episodes "$data/episodes/train/Pomaria_2_int.json.gz" --select 0:800 --evaluate-select 800:1000 \
        --steps 2000 --evaluate-every 2000 --evaluate-count 20 ;;
    esac
done
