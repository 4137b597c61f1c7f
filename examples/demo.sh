#!/usr/bin/env bash
# The whole loop on the bundled tasks, without a key: explore, export, train, evaluate.
# All output is in runs/demo; `rm -r runs/demo` to start again from scratch.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
out=runs/demo
mkdir -p $out
SECONDS=0

# Two of three held-out tasks, from both databases and of every difficulty. An untrained student
# rambles, so measuring it takes longer than everything except training.
held_out=$(seq 240 299 | awk 'NR % 3 {printf "%sbird-test-%s", comma, $1; comma = ","}')
world=(--env bird --env-arg schema=prompt --template react)
test=("${world[@]}" --split test --tasks "$held_out" --depth 2 --max-reply-tokens 96)

echo "== 1. explore five tasks of each training database and of seven renamed copies of it"
# Trained on few databases, a small student memorises their names instead of reading the schema.
[ -d $out/tasks ] || python examples/renamed.py $out/tasks --copies 7 --per-database 5
engine explore "${world[@]}" --data $out/tasks --split train --teacher demonstration \
    --output $out/explore

echo "== 2. export rows for SFT and DPO"
engine export $out/explore --to sft --per-task 1 --mix thoughtless:1 --output $out/sft.jsonl
engine export $out/explore --to dpo --output $out/dpo.jsonl

echo "== 3. measure the student before training, on databases that training never sees"
trainer eval --model smollm2 "${test[@]}" --output $out/before

echo "== 4. train it on the SFT rows"
# Rows of a database begin with the same instructions and schema; tree packing computes them once.
trainer sft --model smollm2 --dataset $out/sft.jsonl --output $out/student \
    --overwrite-output-dir --tree-packing auto --learning-rate 5e-4 --num-train-epochs 1 \
    --gradient-accumulation-steps 16 --json > $out/sft.json

echo "== 5. measure it again"
trainer eval --model $out/student "${test[@]}" --output $out/after

python examples/demo_table.py $out
echo "the loop took $SECONDS s"
