#!/usr/bin/env bash
# The whole loop on the bundled tasks, without a key: explore, export, train, evaluate.
# Everything it makes is in runs/demo; run it again from scratch after `rm -r runs/demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
out=runs/demo
mkdir -p $out

echo "== 1. explore the train split with the demonstration teacher"
engine explore --env bird --split train --teacher demonstration --out $out/explore

echo "== 2. export rows for SFT and DPO"
engine export $out/explore --to sft --template react --output $out/sft.jsonl
engine export $out/explore --to dpo --template react --output $out/dpo.jsonl

echo "== 3. measure the student before training, on databases that it never sees in training"
trainer eval --model smollm2 --template react --env bird --split test --out $out/before

echo "== 4. train it on the SFT rows"
trainer sft --model_name_or_path smollm2 --dataset $out/sft.jsonl --output_dir $out/student \
    --overwrite_output_dir

echo "== 5. measure it again"
trainer eval --model $out/student --template react --env bird --split test --out $out/after

python examples/demo_table.py $out
