#!/usr/bin/env bash
# The closed loop: demonstrations teach a student (SFT), the student explores training tasks itself,
# and its successes and failures become pairs (DPO). Each stage is measured on databases that no stage
# saw, once with greedy decoding, and once with several answers at the temperature of the exploration,
# because that is the policy that DPO improves. All output is in runs/closed-loop; the same command
# resumes an interrupted loop.
#
#   examples/closed_loop.sh                                   # the bundled tasks, one seed
#   SEEDS="0 1 2" examples/closed_loop.sh                     # three seeds
#   STUDENT=Qwen/Qwen2.5-1.5B-Instruct BATCH=16 examples/closed_loop.sh       # on a GPU
#   WORLD=spider DATA=spider/ TRAIN=@a.txt EXPLORE=@b.txt TEST=@c.txt HELD_OUT=dev \
#       examples/closed_loop.sh
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

SEEDS=${SEEDS:-0}
STUDENT=${STUDENT:-smollm2}
WORLD=${WORLD:-bird}       # or spider, with DATA
DATA=${DATA:-}             # a folder in the world's layout; empty: the bundled tasks
TRAIN=${TRAIN:-}           # ids of training tasks, a,b,c or @FILE; empty: all
EXPLORE=${EXPLORE:-$TRAIN} # ids of the tasks that the student explores itself
TEST=${TEST:-}             # ids of held-out tasks; empty: all
HELD_OUT=${HELD_OUT:-test} # their split
COPIES=${COPIES:-9}        # renamed copies of each training database to demonstrate; bird only
FRESH=${FRESH:-1}          # more copies, under new names, for the student to explore; bird only
EPOCHS=${EPOCHS:-1}
SFT_RATE=${SFT_RATE:-5e-4} # peak learning rates
DPO_RATE=${DPO_RATE:-2e-5}
WIDTH=${WIDTH:-4}          # answers that the student tries per task
TEMPERATURE=${TEMPERATURE:-0.8}
SAMPLES=${SAMPLES:-4}      # answers per held-out task at this temperature
BATCH=${BATCH:-16}         # pairs per batch
OUT=${OUT:-runs/closed-loop}
PORT=${PORT:-8127}

world=(--env "$WORLD" --env-arg schema=prompt --template react)
resumable=(--save-strategy steps --save-steps 10 --save-total-limit 1 --resume-from-checkpoint)
held_out=("${world[@]}" --split "$HELD_OUT" --depth 2 --max-reply-tokens 128)
[ -z "$DATA" ] || held_out+=(--data "$DATA")
[ -z "$TEST" ] || held_out+=(--tasks "$TEST")

sampled=("${held_out[@]}" --temperature "$TEMPERATURE" --samples "$SAMPLES" --concurrency 64)

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

# serve MODEL LOG: start a server of the model, and wait until it answers.
serve() {
    trainer serve "$1" --name student --port "$PORT" --json > "$2" &
    server=$!
    until grep -q base_url "$2"; do
        kill -0 "$server"
        sleep 1
    done
}

# tasks IDS FOLDER SEED COPIES...: set `train` to the flags of the training tasks (bird: renamed).
# Trained on few databases, a small student memorises table names, and uses them elsewhere.
tasks() {
    train=("${world[@]}" --split train)
    [ -z "$1" ] || train+=(--tasks "$1")
    if [ "$WORLD" = bird ]; then
        [ -f "$2/train.json" ] || python examples/renamed.py "$2" --seed "$3" --copies "${@:4}" \
            ${DATA:+--data "$DATA"}
        train+=(--data "$2")
    elif [ -n "$DATA" ]; then
        train+=(--data "$DATA")
    fi
}

# trained FOLDER: whether it holds a model.
trained() { [ -f "$1/model.safetensors" ] || [ -f "$1/model.safetensors.index.json" ]; }

mkdir -p "$OUT"
SECONDS=0
echo "== the student before training"
trainer eval --model "$STUDENT" "${held_out[@]}" --output "$OUT/base"

for seed in $SEEDS; do
    here=$OUT/seed-$seed
    mkdir -p "$here"

    echo "== seed $seed: demonstrations, and SFT"
    tasks "$TRAIN" "$here/tasks" "$seed" "$COPIES"
    engine explore "${train[@]}" --teacher demonstration --seed "$seed" --output "$here/demonstrations"
    engine export "$here/demonstrations" --to sft --per-task 1 --output "$here/sft.jsonl"
    # Rows of a database begin with the same instructions and schema; packing computes them once.
    trained "$here/sft" ||
        trainer sft --model "$STUDENT" --dataset "$here/sft.jsonl" \
            --output "$here/sft" "${resumable[@]}" --seed "$seed" --tree-packing auto \
            --learning-rate "$SFT_RATE" --num-train-epochs "$EPOCHS" --gradient-accumulation-steps 32
    trainer eval --model "$here/sft" "${held_out[@]}" --output "$here/after-sft"
    trainer eval --model "$here/sft" "${sampled[@]}" --output "$here/after-sft-sampled"

    echo "== seed $seed: the student explores, and DPO"
    # Under names that it was not taught, so that it fails as on unseen databases.
    tasks "$EXPLORE" "$here/fresh-tasks" "$((seed + 1000))" "$FRESH" --only-copies
    serve "$here/sft" "$here/server.json"
    engine explore "${train[@]}" --teacher student --base-url "http://127.0.0.1:$PORT/v1" \
        --siblings sample --width "$WIDTH" --max-solutions "$WIDTH" --depth 2 --max-reply-tokens 128 \
        --temperature "$TEMPERATURE" --concurrency 32 --seed "$seed" --output "$here/explored"
    kill "$server"
    wait "$server" || true
    server=
    engine export "$here/explored" --to dpo --output "$here/dpo.jsonl"
    trained "$here/dpo" ||
        trainer dpo --model "$here/sft" --dataset "$here/dpo.jsonl" \
            --output "$here/dpo" "${resumable[@]}" --seed "$seed" --tree-packing auto \
            --per-device-train-batch-size "$BATCH" --gradient-accumulation-steps 1 \
            --learning-rate "$DPO_RATE" --beta 0.1 --sft-weight 0.2 --num-train-epochs 1
    trainer eval --model "$here/dpo" "${held_out[@]}" --output "$here/after-dpo"
    trainer eval --model "$here/dpo" "${sampled[@]}" --output "$here/after-dpo-sampled"
done

python examples/closed_loop_table.py "$OUT"
echo "the loop took $SECONDS s"
