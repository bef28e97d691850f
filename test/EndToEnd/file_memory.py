#!/usr/bin/env python3
"""What ranks hold while they load and save is what was predicted: weights drawn, resumed by the same ranks and by others."""

import argparse
import re
from pathlib import Path

from tools import Programs, check, fresh, main

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LIMIT = 0.05
# Bytes: two decimals of a KiB, and paths that ranks tell each other.
SMALL = 512


def table(output):
    """{row: (predicted, measured)} of the first table, in bytes."""
    found = {}
    for name, first, a, second, b in re.findall(r"^  (.*?) +([\d.]+) (\w+) +([\d.]+) (\w+)$", output, re.MULTILINE):
        if a in UNITS and b in UNITS:
            found.setdefault(name, (float(first) * UNITS[a], float(second) * UNITS[b]))
    return found


def more(rows, name):
    """What a rank holds beside its state: (predicted, measured)."""
    check(name in rows, f"no row '{name}' in {rows}")
    return tuple(rows[name][i] - (rows["total"][i] - rows["peak activations"][i]) for i in (0, 1))


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())

    def run(steps, tp, pp=1):
        output = programs.succeed(
            "nxdt-run", arguments.case.resolve() / "config.yaml", "precision.type=mixed_precision", f"trainer.devices={tp * pp}",
            f"distributed_strategy.tensor_model_parallel_size={tp}", f"distributed_strategy.pipeline_model_parallel_size={pp}",
            f"trainer.max_steps={steps}", "exp_manager.resume_from_checkpoint=null", "exp_manager.resume_if_exists=True",
            "exp_manager.create_checkpoint_callback=True", "exp_manager.checkpoint_callback_params.every_n_train_steps=1",
            f"exp_manager.explicit_log_dir={work}/log", cwd=work,
        ).stdout  # fmt: skip
        check(("continues" in output) == (steps > 1), output)
        return table(output)

    def same(what, predicted, measured):
        check(abs(measured - predicted) <= LIMIT * predicted + SMALL, f"{what}: {measured:.0f} bytes beside the state, {predicted:.0f} predicted")
        print(f"{what}: {measured:.0f} bytes beside the state, {predicted:.0f} predicted")

    # Sizes that tp does not divide: a rank's part has columns of padding, which a save leaves out.
    rows = run(1, tp=2)
    for name in ("while drawing", "while saving"):
        predicted, measured = more(rows, name)
        check(predicted > SMALL, f"{name} takes nothing: {rows}")
        same(f"tp 2, {name}", predicted, measured)
    same("tp 2 goes on as tp 2, while loading", *more(run(2, tp=2), "while loading"))
    predicted, measured = more(run(3, tp=1), "loading, at most")
    check(0 < measured <= predicted + SMALL, f"tp 1 from tp 2: {measured:.0f} bytes, at most {predicted:.0f} predicted")
    print(f"tp 2 goes on as tp 1: {measured:.0f} bytes beside the state, at most {predicted:.0f} predicted")
    rows = run(4, tp=2, pp=2)
    same("tp 2 x pp 2, while saving", *more(rows, "while saving"))


if __name__ == "__main__":
    main(test)
