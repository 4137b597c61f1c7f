#!/usr/bin/env bash
# The whole loop on the bundled tasks, without a key: explore, export, train, evaluate.
# Everything it makes is in runs/demo; run it again from scratch after `rm -r runs/demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
out=runs/demo
mkdir -p $out
SECONDS=0

# Two of three held-out tasks, of both databases and every difficulty; an untrained student rambles,
# and so takes longer than all the rest but the training.
held_out=$(seq 240 299 | awk 'NR % 3 {printf "%sbird-test-%s", comma, $1; comma = ","}')
world=(--env bird --schema prompt --template react)
test=("${world[@]}" --split test --tasks "$held_out" --depth 2 --max-tokens 96)

echo "== 1. explore the train split, once more under other names, with the demonstration teacher"
# From six databases alone a small student learns table names by heart, and asks for them elsewhere.
[ -d $out/tasks ] || python examples/renamed.py $out/tasks --copies 1
engine explore "${world[@]}" --data $out/tasks --split train --teacher demonstration \
    --out $out/explore

echo "== 2. export rows for SFT and DPO"
engine export $out/explore --to sft --per-task 1 --output $out/sft.jsonl
engine export $out/explore --to dpo --output $out/dpo.jsonl

echo "== 3. measure the student before training, on databases that it never sees in training"
trainer eval --model smollm2 "${test[@]}" --out $out/before

echo "== 4. train it on the SFT rows"
# Rows of a database begin with the same instructions and schema: packed, those are computed once.
trainer sft --model_name_or_path smollm2 --dataset $out/sft.jsonl --output_dir $out/student \
    --overwrite_output_dir --tree_packing auto --learning_rate 5e-4 --num_train_epochs 1 \
    --gradient_accumulation_steps 32 --json > $out/sft.json

echo "== 5. measure it again"
trainer eval --model $out/student "${test[@]}" --out $out/after

python examples/demo_table.py $out
echo "the loop took $SECONDS s"
