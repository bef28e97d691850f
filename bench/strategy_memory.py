#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Predicted and measured peak bytes of the ranks of twelve strategies: what nxdt-run prints at the end of two steps.

    python3 bench/strategy_memory.py --config CONFIG.yaml [--bin build/bin] [--out bench/results/strategy_memory.md]

Measured is what an allocator in front of libtorch's own counts, the largest of a stage's ranks. Exit status 1 where a total is more than 5 % off.
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
        "trainer.max_steps=2",
        "exp_manager.create_checkpoint_callback=False",
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
    good = True
    for strategy in STRATEGIES:
        with tempfile.TemporaryDirectory() as folder:
            command = [arguments.bin / "nxdt-run", arguments.config, f"exp_manager.explicit_log_dir={folder}", *overrides(*strategy)]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{strategy}: exit status {done.returncode}\n{done.stderr}")
        peaks, totals = rows(done.stdout, "peak activations"), rows(done.stdout, "total")
        if len(totals) != strategy[0] or len(peaks) != strategy[0]:
            sys.exit(f"{strategy}: {len(totals)} tables\n{done.stdout}")
        errors = [abs(measured - predicted) / measured for predicted, measured in totals]
        worst = errors.index(max(errors))
        good &= errors[worst] <= LIMIT
        cells = [f"{value / 1024:.1f}" for value in (*peaks[worst], *totals[worst])]
        lines.append(f"| {' | '.join(map(str, (*strategy, *cells)))} | {100 * errors[worst]:.2f} % |")
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
