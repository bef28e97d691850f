#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Predicted and measured peak bytes of the ranks of twelve strategies: what nxdt-run prints at the end of two steps, and of two more that go on.

    python3 bench/strategy_memory.py --config CONFIG.yaml [--bin build/bin] [--out bench/results/strategy_memory.md]

Measured is what an allocator in front of libtorch's own counts, the largest of a stage's ranks. Exit status 1 where a total, or what is held while weights are drawn, loaded or saved, is more than 5 % off.
"""

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 0.05
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
#         pp vpp tp dp zero1  sequence recomputation
STRATEGIES = [
    (1, 1, 1, 1, True, False, "off"),
    (1, 1, 2, 1, True, False, "off"),
    (1, 1, 2, 2, True, True, "off"),
    (1, 1, 1, 4, False, False, "off"),
    (1, 1, 4, 1, True, True, "full"),
    (2, 1, 1, 1, True, False, "off"),
    (2, 1, 1, 1, True, False, "full"),
    (2, 2, 1, 1, True, False, "off"),
    (2, 1, 2, 1, True, True, "off"),
    (2, 2, 2, 2, True, True, "selective"),
    (4, 1, 1, 1, True, False, "off"),
    (4, 2, 1, 2, False, False, "full"),
]


def overrides(pp, vpp, tp, dp, zero1, sequence, recomputation):
    keys = [
        f"trainer.devices={pp * tp * dp}",
        f"distributed_strategy.pipeline_model_parallel_size={pp}",
        f"++distributed_strategy.virtual_pipeline_model_parallel_size={vpp}",
        f"distributed_strategy.tensor_model_parallel_size={tp}",
        f"distributed_strategy.zero1={zero1}",
        f"distributed_strategy.sequence_parallel={sequence}",
        "data.micro_batch_size=1",
        "exp_manager.resume_from_checkpoint=null",
        "exp_manager.resume_if_exists=True",
        "exp_manager.create_checkpoint_callback=True",
        "exp_manager.checkpoint_callback_params.every_n_train_steps=2",
    ]
    if recomputation != "off":
        keys.append(f"++model.activations_checkpoint_granularity={recomputation}")
    if recomputation == "selective":
        keys.append("++model.activations_checkpoint_recompute=[CoreAttention,LlamaMLP]")
    return keys


def rows(output, name):
    """[(predicted, measured)] of a row of the tables, by stage, in bytes."""
    return [
        tuple(float(number) * UNITS[unit] for number, unit in ((first, a), (second, b)))
        for first, a, second, b in re.findall(rf"^  {name} +([\d.]+) (\w+) +([\d.]+) (\w+)$", output, re.MULTILINE)
    ]


def run(program, config, folder, strategy, steps):
    command = [program, config, f"exp_manager.explicit_log_dir={folder}", f"trainer.max_steps={steps}", *overrides(*strategy)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{strategy}: exit status {done.returncode}\n{done.stderr}")
    if ("continues" in done.stdout) != (steps > 2):
        sys.exit(f"{strategy}: does not go on where it should, or does\n{done.stdout}")
    return done.stdout


def worst_of(pairs):
    """(index, error) of the stage that is most off."""
    errors = [abs(measured - predicted) / measured for predicted, measured in pairs]
    index = errors.index(max(errors))
    return index, errors[index]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = [
        "# Memory of strategies",
        "",
        f"`python3 bench/strategy_memory.py --config {arguments.config.parent.name}/{arguments.config.name}`, {datetime.date.today()}. "
        "KiB of the stage with the largest difference.",
        "",
        "| pp | vpp | tp | dp | zero1 | sequence parallel | recomputation | activations, predicted | measured | total, predicted | measured | off by |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    moments = [
        "",
        "All that a rank holds while its weights are drawn, while it loads a checkpoint of the same ranks, and while it saves.",
        "",
        "| pp | vpp | tp | dp | drawing, predicted | measured | loading, predicted | measured | saving, predicted | measured | off by at most |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    good = True
    for strategy in STRATEGIES:
        with tempfile.TemporaryDirectory() as folder:
            begin, rest = (run(arguments.bin / "nxdt-run", arguments.config, folder, strategy, steps) for steps in (2, 4))
        peaks, totals = rows(begin, "peak activations"), rows(begin, "total")
        if len(totals) != strategy[0] or len(peaks) != strategy[0]:
            sys.exit(f"{strategy}: {len(totals)} tables\n{begin}")
        worst, error = worst_of(totals)
        good &= error <= LIMIT
        cells = [f"{value / 1024:.1f}" for value in (*peaks[worst], *totals[worst])]
        lines.append(f"| {' | '.join(map(str, (*strategy, *cells)))} | {100 * error:.2f} % |")
        cells, errors = [], []
        for output, name in ((begin, "while drawing"), (rest, "while loading"), (begin, "while saving")):
            pairs = rows(output, name)
            if len(pairs) != strategy[0]:
                sys.exit(f"{strategy}: {len(pairs)} rows '{name}'\n{output}")
            worst, error = worst_of(pairs)
            cells += [f"{value / 1024:.1f}" for value in pairs[worst]]
            errors.append(error)
        good &= max(errors) <= LIMIT
        moments.append(f"| {' | '.join(map(str, (*strategy[:4], *cells)))} | {100 * max(errors):.2f} % |")
    lines += moments
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
