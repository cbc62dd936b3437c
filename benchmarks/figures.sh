#!/usr/bin/env bash
# The figures of docs/results/figures.md, from nothing but what is installed: benchmarks/figures.sh RUNS FIGURES
# Interrupted, it goes on where it stopped. LMGT names the command (default: lmgt), WORKERS the seeds trained at a time (2).
set -euo pipefail
runs=$1 figures=$2
lmgt=${LMGT:-lmgt}

train() { # app, name, arguments...
    local app=$1 run=$runs/$1/$2; shift 2
    [ -f "$run/summary.json" ] && return
    local resume=(); [ -f "$run/config.json" ] && resume=(--resume)
    "$lmgt" "$app" train --workers "${WORKERS:-2}" --out "$run" "${resume[@]}" "$@"
}

report() { # app, names...
    local app=$1; shift
    "$lmgt" report "${@/#/$runs/$app/}" --out "$runs/$app.html" --figures "$figures/$app"
}

qwen=recorded:qwen2.5-coder-1.5b

"$lmgt" judge audit --app slateq --env interest-evolution --strategies worth --judges $qwen --figures "$figures/slateq"
"$lmgt" judge audit --app control --env CartPole-v1 --strategies helps --judges $qwen --figures "$figures/control"

pole=(--env CartPole-v1 --algorithm dqn --steps 2000 --evaluate-every 250 --strategy helps --seeds 0 1 2 3 4 5 6 7 8 9)
train control none "${pole[@]}" --judge none
train control language-model "${pole[@]}" --judge $qwen
train control language-model-ungated "${pole[@]}" --judge $qwen --no-gate
report control none language-model language-model-ungated

home=(--episodes builtin:train_home_1 --select 0:80 --evaluate-select 80:100 --steps 2400 --evaluate-every 400)
for judge in none minilm preference oracle; do
    train housekeep $judge "${home[@]}" --seeds 0 1 2 3 4 --judge $judge
done
report housekeep none minilm preference oracle
"$lmgt" housekeep watch "$runs/housekeep/preference" --episode 0 --out "$figures/housekeep/tidy.webp"

cards=(--env Blackjack-cards --algorithm dqn --steps 2000 --evaluate-every 250 --seeds 0 1 2 3 4 --no-gate)
train atari none "${cards[@]}" --judge none
train atari captions-by-ocr "${cards[@]}" --judge oracle --captioner ocr
train atari captions-from-memory "${cards[@]}" --judge oracle --captioner objects
report atari none captions-by-ocr captions-from-memory

"$lmgt" study robustness --app tabular --out "$runs/tabular" --workers "${WORKERS:-2}"
mkdir -p "$figures/tabular" && cp "$runs"/tabular/figures/*.svg "$figures/tabular"

python -m benchmarks.caption_figure --out "$figures/captions.png"
