#!/usr/bin/env bash
# Data from nothing, without a key: tasks, templates, thoughts and hard negatives of three worlds, an
# audit, and two students: one trained on one prompt, one on many. Each is measured with names, order,
# descriptions, dialect, observations and distractors changed (docs/robustness.md).
# All output is in runs/make-data; `rm -r runs/make-data` to start again. The same command resumes.
# TASKS=60 STEPS=20 HELD_OUT=40 by default.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
out=${OUT:-runs/make-data}
tasks=${TASKS:-60} steps=${STEPS:-20} held_out=${HELD_OUT:-40}
mkdir -p "$out"
SECONDS=0

echo "== 1. make tasks by rule, and check that each can be solved, in one way, and not by nothing"
worlds=(bird kg os)
options() { [ "$1" != bird ] || echo "--env-arg schema=prompt"; }
for world in "${worlds[@]}"; do
    [ -f "$out/$world.jsonl" ] || engine make tasks --env "$world" --split train --n "$tasks" \
        --output "$out/$world.jsonl"
done

echo "== 2. make hard negatives: no call is right, or the tool is missing"
[ -f "$out/negatives.jsonl" ] || engine make negatives --env bird --split train \
    --n $((tasks / 4)) --output "$out/negatives.jsonl"

echo "== 3. explore them with the demonstration teacher, whose thoughts are made by rule"
runs=()
for world in "${worlds[@]}"; do
    # shellcheck disable=SC2046
    engine explore --env "$world" $(options "$world") --task-file "$out/$world.jsonl" \
        --output "$out/explored-$world"
    engine judge "$out/explored-$world" --task-file "$out/$world.jsonl"
    runs+=("$out/explored-$world")
done
engine explore --env bird+negatives --task-file "$out/negatives.jsonl" \
    --output "$out/explored-negatives"
runs+=("$out/explored-negatives")

echo "== 4. make templates by rule"
[ -d "$out/templates" ] || engine make templates --env bird --split train --n 12 \
    --output "$out/templates"
templates=$(printf '%s,' "$out"/templates/*.toml)

echo "== 5. export the same paths in one prompt, and in many with other tools"
engine export "${runs[@]}" --template react --per-task 1 --output "$out/plain.jsonl"
engine export "${runs[@]}" --template "react,${templates%,}" --dialect lines,openai,typescript \
    --tool-noise rename,shuffle,reword,distract:2 --per-task 1 --output "$out/diverse.jsonl"

echo "== 6. audit both"
for kind in plain diverse; do
    engine audit "$out/$kind.jsonl" --output "$out/$kind-clean.jsonl" --card "$out/$kind-card.md" \
        --drop duplicate,near-duplicate,secret,held-out-task,test-split --licence apache-2.0
done

echo "== 7. train a student on each, and measure it with one thing changed at a time"
for kind in plain diverse; do
    [ -f "$out/$kind.json" ] || trainer sft --model smollm2 --dataset "$out/$kind-clean.jsonl" \
        --output "$out/student-$kind" --overwrite-output-dir --learning-rate 5e-4 \
        --max-steps "$steps" --gradient-accumulation-steps 8 --json > "$out/$kind.json.part"
    [ -f "$out/$kind.json" ] || mv "$out/$kind.json.part" "$out/$kind.json"
    trainer eval --model "$out/student-$kind" --env bird --env-arg schema=prompt --split test \
        --limit "$held_out" --template react --depth 2 --max-reply-tokens 96 \
        --perturb names,order,descriptions,dialect,observations,distractors \
        --output "$out/eval-$kind"
done
echo "it took $SECONDS s"
