#!/usr/bin/env bash
# Sets up, builds and trains a small Llama on real text, on two tensor-parallel ranks, then writes its weights as a
# Hugging Face folder.
#
#   scripts/quickstart.sh [--pp] [--text DIR_OR_FILE] [--steps N] [OVERRIDE...]
#
#   --pp                 two stages of a pipeline instead, four micro-batches a step; begins with the schedule's picture
#   --text DIR_OR_FILE   the text to train on; default: the headers of MLIR and LLVM, which set-up installs
#   --steps N            optimizer steps; default: as in configs/quickstart.yaml (240)
#   OVERRIDE             any key of the configuration, as in model.optim.lr=1e-3
#
# Set-up installs what is missing only, the build is incremental, text is prepared once: a second run starts training
# within seconds. Every run gets a folder of its own, nxdt_runs/quickstart/run-N.
set -euo pipefail

usage() { sed -n '2,/^set /p' "${BASH_SOURCE[0]}" | sed -e '/^set /d' -e 's/^# \{0,1\}//'; }
fail() { echo "error: $*" >&2; exit 1; }

text=() overrides=() pipeline=
while [[ $# -gt 0 ]]; do
  case $1 in
  -h | --help) usage; exit 0 ;;
  --text=* | --steps=*) set -- "${1%%=*}" "${1#*=}" "${@:2}"; continue ;;
  --pp)
    pipeline=1
    overrides+=(distributed_strategy.pipeline_model_parallel_size=2 distributed_strategy.tensor_model_parallel_size=1
      distributed_strategy.sequence_parallel=False data.micro_batch_size=2)
    shift ;;
  --text)
    [[ -n ${2:-} ]] || fail "--text needs a folder or a file"
    [[ -e $2 ]] || fail "$2: no such file or folder"
    text=(--text "$(realpath "$2")")
    shift 2 ;;
  --steps)
    [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--steps needs a positive number, not '${2:-}'"
    overrides+=("trainer.max_steps=$2")
    shift 2 ;;
  -*) fail "unknown option '$1' (see scripts/quickstart.sh --help)" ;;
  *=* | ~*) overrides+=("$1"); shift ;;
  *) fail "'$1' is neither an option nor an override of the form a.b=value" ;;
  esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh
scripts/build.sh nxdt-opt nxdt-run nxdt-ckpt

runs=nxdt_runs/quickstart
mkdir -p "$runs"
python=.venv/bin/python
[[ -x $python ]] || python=python3
prepared=$("$python" scripts/prepare_text.py --out "$runs/texts" "${text[@]}")
ln -sfn "texts/$(basename "$prepared")" "$runs/text"

n=1
while [[ -e $runs/run-$n ]]; do n=$((n + 1)); done
run=$runs/run-$n
overrides=("exp_manager.explicit_log_dir=$run" "data.train_dir=$prepared/train" "data.val_dir=$prepared/val" "${overrides[@]}")

if [[ -n $pipeline ]]; then
  echo
  echo "\$ build/bin/nxdt-opt configs/quickstart.yaml --emit=schedule"
  build/bin/nxdt-opt configs/quickstart.yaml "${overrides[@]}" --emit=schedule | sed -n '/^# train_step/,/^schedule/p' | sed '$d'
fi
echo
echo "\$ build/bin/nxdt-opt configs/quickstart.yaml"
build/bin/nxdt-opt configs/quickstart.yaml "${overrides[@]}"
echo
echo "\$ build/bin/nxdt-run configs/quickstart.yaml"
build/bin/nxdt-run configs/quickstart.yaml "${overrides[@]}"
checkpoint=$(find "$run/checkpoints" -maxdepth 1 -name '*.ckpt' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
[[ -n $checkpoint ]] || fail "$run/checkpoints holds no checkpoint"
echo
echo "\$ build/bin/nxdt-ckpt to-hf $checkpoint $run/hf"
build/bin/nxdt-ckpt to-hf "$checkpoint" "$run/hf"
cp "$prepared/tokenizer.json" "$prepared/tokenizer_config.json" "$run/hf/"

echo
"$python" - "$run" "$prepared" <<'PYTHON'
import json, sys
run, prepared = sys.argv[1:]
lines = [json.loads(line) for line in open(f"{run}/metrics.jsonl")]
train = [line for line in lines if "loss" in line]
val = [line for line in lines if "val_loss" in line]
last = train[-10:]
print(f"training loss    {train[0]['loss']:.3f} at step {train[0]['step']} -> {sum(line['loss'] for line in last) / len(last):.3f} (mean of the last {len(last)} logged steps)")
if val:
    print(f"validation loss  {val[-1]['val_loss']:.3f} on text that was held out")
plan = json.load(open(f"{run}/plan/plan.json"))
predicted = max(sum(stage["memory"].values()) for stage in plan.get("stages", [plan]))
measured = max(line["peak_memory_bytes"] for line in train)
print(f"memory           {predicted / 2**20:.1f} MiB per rank predicted by nxdt-opt, {measured / 2**20:.1f} MiB measured")
print(f"trained weights  {run}/hf (Hugging Face: config.json, model.safetensors, tokenizer.json)")
print(f"everything else  {run}: metrics.jsonl, checkpoints/, plan/; the text: {prepared}")
PYTHON
