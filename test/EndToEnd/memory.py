#!/usr/bin/env python3
"""The peak memory of a run on one device is what was predicted, to the byte."""

import argparse
import json
from pathlib import Path

from tools import Programs, check, fresh, main, read_metrics

RUNS = {
    "plain": [],
    "attention written out": ["model.fusions.flash_attention=False"],
    "bf16 compute": ["precision.type=mixed_precision"],
    "recomputed layers": ["++model.activations_checkpoint_granularity=full"],
    "recomputed attention": ["++model.activations_checkpoint_granularity=selective", "++model.activations_checkpoint_recompute=[CoreAttention]"],
}


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    for case in arguments.case:
        for number, (name, overrides) in enumerate(RUNS.items()):
            log = work / f"{case.name}-{number}"
            programs.succeed(
                "nxdt-run", case.resolve() / "config.yaml", *overrides, "trainer.max_steps=2", "exp_manager.create_checkpoint_callback=False",
                f"exp_manager.explicit_log_dir={log}", cwd=work,
            )
            memory = json.loads((log / "plan" / "plan.json").read_text())["memory"]
            predicted = sum(memory.values())
            steps, _ = read_metrics(log)
            measured = steps[-1]["peak_memory_bytes"]
            check(measured == predicted, f"{case.name}, {name}: {measured} bytes were needed, {predicted} predicted: {memory}")
            print(f"{case.name}, {name}: {measured} bytes, of them {memory['peak_activation_bytes']} activations")


if __name__ == "__main__":
    main(test)
