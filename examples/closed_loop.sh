#!/usr/bin/env bash
# The closed loop: demonstrations teach a student (SFT), the student explores training tasks itself,
# its successes and failures become pairs (DPO), and each stage is measured on databases that none of
# it saw: by its likeliest answer, and by several at the temperature at which it explored, since that
# is the policy that DPO improves. What it makes is in runs/closed-loop; the same command goes on
# where it was cut off.
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
DATA=${DATA:-}             # a folder in the world's layout; the bundled tasks, if empty
TRAIN=${TRAIN:-}           # ids of training tasks, a,b,c or @FILE; all, if empty
EXPLORE=${EXPLORE:-$TRAIN} # ids of those that the student explores itself
TEST=${TEST:-}             # ids of held-out tasks; likewise
HELD_OUT=${HELD_OUT:-test} # their split
COPIES=${COPIES:-9}        # of each training database, under other names, to demonstrate; bird only
FRESH=${FRESH:-1}          # of each, under still other names, for the student to explore; bird only
EPOCHS=${EPOCHS:-1}
SFT_RATE=${SFT_RATE:-5e-4} # learning rates, at their highest
DPO_RATE=${DPO_RATE:-2e-5}
WIDTH=${WIDTH:-4}          # answers that the student tries for each task
TEMPERATURE=${TEMPERATURE:-0.8}
SAMPLES=${SAMPLES:-4}      # answers for each held-out task at this temperature
BATCH=${BATCH:-16}         # pairs at once
OUT=${OUT:-runs/closed-loop}
PORT=${PORT:-8127}

world=(--env "$WORLD" --schema prompt --template react)
goes_on=(--save_strategy steps --save_steps 10 --save_total_limit 1 --resume_from_checkpoint)
held_out=("${world[@]}" --split "$HELD_OUT" --depth 2 --max-tokens 128)
[ -z "$DATA" ] || held_out+=(--data "$DATA")
[ -z "$TEST" ] || held_out+=(--tasks "$TEST")

sampled=("${held_out[@]}" --temperature "$TEMPERATURE" --samples "$SAMPLES" --concurrency 64)

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

# serve MODEL LOG: start a server of the model, and wait until it can be asked.
serve() {
    trainer serve "$1" --name student --port "$PORT" --json > "$2" &
    server=$!
    until grep -q base_url "$2"; do
        kill -0 "$server"
        sleep 1
    done
}

# tasks IDS FOLDER SEED COPIES...: training tasks, of bird under other names, as flags in `train`.
# From few databases a small student learns table names by heart, and asks for them elsewhere.
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

# trained FOLDER: whether a model is there.
trained() { [ -f "$1/model.safetensors" ] || [ -f "$1/model.safetensors.index.json" ]; }

mkdir -p "$OUT"
SECONDS=0
echo "== the student before training"
trainer eval --model "$STUDENT" "${held_out[@]}" --out "$OUT/base"

for seed in $SEEDS; do
    here=$OUT/seed-$seed
    mkdir -p "$here"

    echo "== seed $seed: demonstrations, and SFT"
    tasks "$TRAIN" "$here/tasks" "$seed" "$COPIES"
    engine explore "${train[@]}" --teacher demonstration --seed "$seed" --out "$here/demonstrations"
    engine export "$here/demonstrations" --to sft --per-task 1 --output "$here/sft.jsonl"
    # Rows of a database begin with the same instructions and schema: packed, computed once.
    trained "$here/sft" ||
        trainer sft --model_name_or_path "$STUDENT" --dataset "$here/sft.jsonl" \
            --output_dir "$here/sft" "${goes_on[@]}" --seed "$seed" --tree_packing auto \
            --learning_rate "$SFT_RATE" --num_train_epochs "$EPOCHS" --gradient_accumulation_steps 32
    trainer eval --model "$here/sft" "${held_out[@]}" --out "$here/after-sft"
    trainer eval --model "$here/sft" "${sampled[@]}" --out "$here/after-sft-sampled"

    echo "== seed $seed: the student explores, and DPO"
    # Under names that it has not been taught, so that it fails as it does elsewhere.
    tasks "$EXPLORE" "$here/fresh-tasks" "$((seed + 1000))" "$FRESH" --only-copies
    serve "$here/sft" "$here/server.json"
    engine explore "${train[@]}" --teacher student --base-url "http://127.0.0.1:$PORT/v1" \
        --siblings sample --width "$WIDTH" --solved "$WIDTH" --depth 2 --reply-tokens 128 \
        --temperature "$TEMPERATURE" --concurrency 32 --seed "$seed" --out "$here/explored"
    kill "$server"
    wait "$server" || true
    server=
    engine export "$here/explored" --to dpo --output "$here/dpo.jsonl"
    trained "$here/dpo" ||
        trainer dpo --model_name_or_path "$here/sft" --dataset "$here/dpo.jsonl" \
            --output_dir "$here/dpo" "${goes_on[@]}" --seed "$seed" --tree_packing auto \
            --per_device_train_batch_size "$BATCH" --gradient_accumulation_steps 1 \
            --learning_rate "$DPO_RATE" --beta 0.1 --sft_weight 0.2 --num_train_epochs 1
    trainer eval --model "$here/dpo" "${held_out[@]}" --out "$here/after-dpo"
    trainer eval --model "$here/dpo" "${sampled[@]}" --out "$here/after-dpo-sampled"
done

python examples/closed_loop_table.py "$OUT"
echo "the loop took $SECONDS s"
