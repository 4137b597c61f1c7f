#!/usr/bin/env bash
# Can a student teach itself? There is no teacher but the search over its own actions: its successes
# are rows for SFT (RFT, the baseline), and `engine credit` says what each of its states is worth.
# The same command resumes it; it stops between two steps once it has worked for MINUTES.
#
#   STUDENT=Qwen2.5-Coder-0.5B-Instruct DATA=spider/ examples/self_improvement.sh
#   MINUTES=100 SEEDS="0 1 2 3 4" ...                  # pieces of 100 minutes, five seeds
#   STUDENT=smollm2 WORLD=kg TEST_SPLIT=test SCHEMA= MADE=1 WARM=40 SHOTS=0 TUNING= ...  # several steps, small student
#
# A student that cannot act at all is first trained on WARM demonstrations of other tasks; all cells, and
# the base that they are compared with, begin with that.
# Every cell sees TOKENS trained tokens; a cell with preferences spends a part of them on those.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

STUDENT=${STUDENT:?a model: a directory or a hub id}
WORLD=${WORLD:-spider}         # or another world
DATA=${DATA:-}                 # its data; empty: the bundled tasks
SCHEMA=${SCHEMA-tools}         # where the agent reads a database's schema; empty: no such option
TRAIN_SPLIT=${TRAIN_SPLIT:-train}
TEST_SPLIT=${TEST_SPLIT:-dev}
MADE=${MADE:-}                 # not empty: new tasks, by rule, in place of the world's own
WARM=${WARM:-0}                # demonstrations for a student that cannot act at all
WARM_TOKENS=${WARM_TOKENS:-12000}  # trained tokens of that first training
TRAIN=${TRAIN:-200}            # training tasks, drawn over all databases
TEST=${TEST:-300}              # held-out tasks, of other databases
SEEDS=${SEEDS:-"0 1 2"}
CELLS=${CELLS:-"outcome value boundary weighted rft+recovery"}  # beside RFT
TOKENS=${TOKENS:-60000}        # trained tokens of each cell
SHARE=${SHARE:-3}              # a cell with preferences spends one of SHARE parts of them on those
WIDTH=${WIDTH:-4}              # actions tried in a state
DEPTH=${DEPTH:-8}
CALLS=${CALLS:-40}             # requests of a training task, of the search and of the chains each
REPLY=${REPLY:-160}            # tokens of a reply
K=${K:-8}                      # of pass@k
DRAWN=${DRAWN-1}               # empty: do not measure K draws of the base on the held-out tasks
VALUED=${VALUED:-1000}         # training tasks at most whose states are valued
LEAST=${LEAST:-4}              # continuations of a state, at least and at most
MOST=${MOST:-8}
TUNING=${TUNING---use-peft --lora-r 16 --lora-alpha 32}  # empty: all weights
RATE=${RATE:-1e-4}             # learning rates
DPO_RATE=${DPO_RATE:-2e-5}
SHOTS=${SHOTS:-2}              # examples that the untrained student sees
MINUTES=${MINUTES:-110}
OUT=${OUT:-runs/self-improvement}
PORT=${PORT:-8131}

world=(--env "$WORLD" --template react --depth "$DEPTH" --max-reply-tokens "$REPLY")
[ -z "$SCHEMA" ] || world+=(--env-arg "schema=$SCHEMA")
[ -z "$DATA" ] || world+=(--data "$DATA")
if [ -n "$MADE" ]; then
    test=("${world[@]}" --task-file "$OUT/test-tasks.jsonl")
    train=("${world[@]}" --task-file "$OUT/train-tasks.jsonl")
else
    test=("${world[@]}" --split "$TEST_SPLIT" --tasks "@$OUT/test.txt")
    train=("${world[@]}" --split "$TRAIN_SPLIT" --tasks "@$OUT/train.txt")
fi
shots=()
shots_from=()
if [ "$SHOTS" != 0 ]; then
    shots_from=(--shots-from "$OUT/shots")
    shots=(--shots "$SHOTS" "${shots_from[@]}")
fi
resumable=(--save-strategy steps --save-steps 10 --save-total-limit 1 --resume-from-checkpoint)
read -ra tuning <<< "$TUNING --gradient-accumulation-steps 16 --tree-packing auto"

mkdir -p "$OUT"
SECONDS=0
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT

# step TEXT: say what comes next, or stop here if the time is over.
step() {
    if [ $SECONDS -ge $((MINUTES * 60)) ]; then
        echo "$MINUTES minutes are over before: $1; the same command goes on"
        exit 75
    fi
    echo "== $1 ($SECONDS s)"
}

# serve MODEL: start a server of the model, unless one runs, and wait until it answers.
serve() {
    [ -z "$server" ] || return 0
    trainer serve "$1" --name student --port "$PORT" --json > "$OUT/server.json" &
    server=$!
    until grep -q base_url "$OUT/server.json"; do
        kill -0 "$server"
        sleep 1
    done
}
stop_server() {
    [ -z "$server" ] || { kill "$server"; wait "$server" || true; }
    server=
}
student=(--teacher student --base-url "http://127.0.0.1:$PORT/v1" --temperature 1)

# trained FOLDER: whether it holds a model.
trained() { [ -f "$1/model.safetensors" ] || [ -f "$1/model.safetensors.index.json" ]; }

# measure NAME MODEL FLAGS...: solve the held-out tasks, greedy.
measure() {
    local name=$1 model=$2
    shift 2
    [ -f "$OUT/$name/done" ] && return 0
    step "measure $name"
    trainer eval --model "$model" "${test[@]}" "$@" --output "$OUT/$name"
    touch "$OUT/$name/done"
}

# sft NAME ROWS SEED TOKENS, dpo NAME PAIRS SEED TOKENS START: train, unless it is done.
sft() {
    trained "$OUT/$1" && return 0
    step "train $1"
    trainer sft --model "$STUDENT" --dataset "$2" --output "$OUT/$1" "${resumable[@]}" \
        "${tuning[@]}" --learning-rate "$RATE" --trained-tokens "$4" --seed "$3" --json \
        > "$OUT/$1.json"
}
dpo() {
    trained "$OUT/$1" && return 0
    step "train $1"
    trainer dpo --model "$5" --dataset "$2" --output "$OUT/$1" "${resumable[@]}" \
        "${tuning[@]}" --learning-rate "$DPO_RATE" --sft-weight 0.2 --trained-tokens "$4" \
        --seed "$3" --json > "$OUT/$1.json"
}

if [ -n "$MADE" ]; then
    make_tasks() { [ -f "$OUT/$1-tasks.jsonl" ] || engine make tasks --env "$WORLD" --split "$2" \
        --n "$3" --output "$OUT/$1-tasks.jsonl"; }
    step "new tasks"
    make_tasks train "$TRAIN_SPLIT" "$TRAIN"
    make_tasks test "$TEST_SPLIT" "$TEST"
else
    [ -f "$OUT/test.txt" ] || python examples/self_improvement_table.py draw "$OUT" \
        --env "$WORLD" --data "$DATA" --train "$TRAIN_SPLIT:$TRAIN" --test "$TEST_SPLIT:$TEST"
fi

if [ "$WARM" != 0 ]; then
    step "$WARM demonstrations, without thoughts, for a student that cannot act"
    engine explore "${world[@]}" --split "$TRAIN_SPLIT" --teacher demonstration --mistake-rate 0 \
        --limit "$WARM" --output "$OUT/demonstrated"
    [ -f "$OUT/warm.jsonl" ] || engine export "$OUT/demonstrated" --to sft --per-task 1 \
        --mix thoughtless:1 --output "$OUT/warm.jsonl"
    sft warm "$OUT/warm.jsonl" 0 "$WARM_TOKENS"
    STUDENT=$OUT/warm
fi
if [ "$SHOTS" != 0 ]; then
    step "examples for the untrained student: rule-made thoughts on training tasks"
    engine explore "${train[@]}" --teacher demonstration --mistake-rate 0 --limit 40 \
        --output "$OUT/shots"
    measure base-zero-shot "$STUDENT"
fi

measure base "$STUDENT" "${shots[@]}"
if [ -n "$DRAWN" ] && [ ! -f "$OUT/base-drawn/done" ]; then
    step "the same student, $K draws per held-out task"
    trainer eval --model "$STUDENT" "${test[@]}" "${shots[@]}" --temperature 1 --samples "$K" \
        --output "$OUT/base-drawn"
    touch "$OUT/base-drawn/done"
fi

if [ ! -f "$OUT/credit.done" ]; then
    step "the student searches the training tasks (DFSDT)"
    serve "$STUDENT"
    engine explore "${train[@]}" "${shots[@]}" "${student[@]}" --siblings sample --width "$WIDTH" \
        --max-solutions "$WIDTH" --task-budget-calls "$CALLS" --concurrency 16 --output "$OUT/searched"
    step "the same tasks by independent chains: pass@k of as many requests"
    engine explore "${train[@]}" "${shots[@]}" "${student[@]}" --search react --width "$K" \
        --max-solutions "$K" --task-budget-calls "$CALLS" --concurrency 16 --output "$OUT/chains"
    step "the value of each state: the student plays on from it"
    engine credit "$OUT/searched" --base-url "http://127.0.0.1:$PORT/v1" --least "$LEAST" --most "$MOST" \
        --splice "${shots_from[@]}" --limit "$VALUED" --concurrency 16 --output "$OUT/credit"
    touch "$OUT/credit.done"
    stop_server
fi

step "rows and pairs"
rows() { [ -f "$OUT/$1" ] || engine export "$OUT/credit" --output "$OUT/$1" "${@:2}"; }
rows rft.jsonl --to sft --per-task 4
rows weighted.jsonl --to sft --per-task 4 --advantage-weighted 0.5
rows recovery.jsonl --to sft --per-task 8 --recovery
rows outcome.jsonl --to dpo
rows value.jsonl --to dpo --pairs value --margin 0.3
rows boundary.jsonl --to dpo --pairs boundary --margin 0.3
[ -f "$OUT/rft+recovery.jsonl" ] || cat "$OUT/rft.jsonl" "$OUT/recovery.jsonl" \
    > "$OUT/rft+recovery.jsonl"

part=$((TOKENS / SHARE))
for seed in $SEEDS; do
    sft "rft-$seed" "$OUT/rft.jsonl" "$seed" "$TOKENS"
    measure "eval-rft-$seed" "$OUT/rft-$seed"
    for cell in $CELLS; do
        case $cell in
        outcome | value | boundary)
            # What the preferences begin with: RFT on what is left of the tokens.
            sft "short-$seed" "$OUT/rft.jsonl" "$seed" $((TOKENS - part))
            dpo "$cell-$seed" "$OUT/$cell.jsonl" "$seed" "$part" "$OUT/short-$seed"
            ;;
        *) sft "$cell-$seed" "$OUT/$cell.jsonl" "$seed" "$TOKENS" ;;
        esac
        measure "eval-$cell-$seed" "$OUT/$cell-$seed"
    done
done
stop_server
python examples/self_improvement_table.py show "$OUT"
echo "this piece took $SECONDS s"
