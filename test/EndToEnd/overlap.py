#!/usr/bin/env python3
"""Collectives that run beside computation, and gradients that travel together, change no bit, and save messages."""

import argparse
import json
from pathlib import Path

from tools import Programs, check, checkpoints, fresh, main

# Padded sizes, both ways of data parallelism, copies of key/value heads, stages, bf16.
STRATEGIES = [
    ["distributed_strategy.tensor_model_parallel_size=2", "distributed_strategy.sequence_parallel=True"],
    ["distributed_strategy.tensor_model_parallel_size=2", "distributed_strategy.zero1=False", "precision.type=mixed_precision"],
    ["distributed_strategy.pipeline_model_parallel_size=2"],
]


def instructions(folder):
    plan = json.loads((folder / "plan.json").read_text())
    for stage in plan.get("stages", [plan]):
        for program in stage["programs"]:
            yield from program["instructions"]


def trained(programs, folder, log):
    """Metrics without times, and the bytes of the last checkpoint's tensors."""
    programs.succeed("nxdt-run", "--plan", folder)
    lines = [json.loads(line) for line in (log / "metrics.jsonl").read_text().splitlines()]
    kept = ("step", "loss", "grad_norm", "val_loss")
    files = sorted(path for kind in ("model", "optim") for path in (checkpoints(log)[-1] / kind).glob("*.pt"))
    check(files, f"{log}: no checkpoint")
    return [{key: line[key] for key in kept if key in line} for line in lines], {path.name: path.read_bytes() for path in files}


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work, config = Programs(arguments.bin), fresh(arguments.work.resolve()), arguments.case.resolve() / "config.yaml"
    for number, strategy in enumerate(STRATEGIES):
        runs = {}
        # As it is; nothing under way; gradients one by one, for one of them.
        ways = {"overlap": [], "without": ["--no-overlap"]} | ({} if number else {"alone": ["+bucket_size_collectives=0"]})
        for name, options in ways.items():
            folder, log = work / f"{name}-{number}", work / f"log-{name}-{number}"
            programs.succeed("nxdt-opt", config, *strategy, *options, "trainer.devices=4", "trainer.max_steps=4", "exp_manager.checkpoint_callback_params.every_n_train_steps=4", f"exp_manager.explicit_log_dir={log}", "--emit=plan", "-o", folder)
            counts = {kind: sum(instruction["kind"] == kind for instruction in instructions(folder)) for kind in ("collective", "start", "wait")}
            together = [len(instruction["args"]) for instruction in instructions(folder) if instruction["kind"] == "start"]
            runs[name] = (counts, together, *trained(programs, folder, log))
        counts, together, metrics, tensors = runs["overlap"]
        check(counts["start"] == counts["wait"] > 0 and max(together) > 10, f"{strategy}: {counts}, buckets of {together}")
        check(number or max(runs["alone"][1]) == 1, f"{strategy}: buckets that nobody asks for")
        check(runs["without"][0]["start"] == 0, f"{strategy}: --no-overlap starts {runs['without'][0]}")
        for name in ways:
            check(runs[name][2] == metrics, f"{strategy}: {name} differs in {runs[name][2]} from {metrics}")
            check(runs[name][3] == tensors, f"{strategy}: {name} differs in the bits of its checkpoint")
        print(f"{' '.join(strategy)}: {counts['start']} starts, buckets of {sorted(together)[-2:]}, {len(metrics)} steps are equal bit for bit")


main(test)
