#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What compiling costs: time and peak memory of `nxdt-opt --emit=plan`, and how fast nxdt-opt starts beside mlir-opt.

    python3 bench/compile_time.py [--bin build/bin] [--mlir-opt /usr/lib/llvm-22/bin/mlir-opt] [--out bench/results/compile_time.md]

Each shape is compiled three times (the fastest is reported; the bytes must be the same each time). Start-up: both programs
read the same .mlir file of one function 30 times, taking turns. Exit status 1 where a limit is missed.
"""

import argparse
import datetime
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# (name, shape, tokens per row, seconds, bytes)
SHAPES = [
    ("Llama 3 8B", "llama3-8b", 8192, 5.0, 1 << 30),
    ("Llama 3.1 405B", "llama3.1-405b", 8192, 20.0, 3 << 30),
]
STARTUP_LIMIT = 1.5
MODULE = "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n  return %x : tensor<4xf32>\n}\n"


def measure(command):
    """(seconds, peak bytes) of a process and what it starts."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    if status:
        sys.exit(f"error: {' '.join(map(str, command))}\n{errors.decode()}")
    return seconds, usage.ru_maxrss * 1024


def cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown CPU"


def compile_shape(nxdt_opt, model, tokens, work):
    command = [
        nxdt_opt, ROOT / "configs/quickstart.yaml", f"model.model_config={ROOT}/configs/models/{model}/config.json", f"model.encoder_seq_length={tokens}",
        f"model.max_position_embeddings={tokens}", "data.micro_batch_size=1", "precision.type=mixed_precision", "--emit=plan", "-o", work / "plan",
    ]  # fmt: skip
    results, digests = [], set()
    for _ in range(3):
        results.append(measure(command))
        digests.add(hashlib.sha256((work / "plan" / "plan.json").read_bytes()).hexdigest())
    size = (work / "plan" / "plan.json").stat().st_size
    return min(seconds for seconds, _ in results), max(peak for _, peak in results), len(digests) == 1, size


def start_up(programs, work):
    (work / "module.mlir").write_text(MODULE)
    seconds = [[], []]
    for _ in range(30):
        for index, program in enumerate(programs):
            seconds[index].append(measure([program, work / "module.mlir"])[0])
    # The median: one start in between may meet anything.
    return [sorted(series)[len(series) // 2] for series in seconds]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin")
    parser.add_argument("--mlir-opt", type=Path, default=Path("/usr/lib/llvm-22/bin/mlir-opt"))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    nxdt_opt = arguments.bin.resolve() / "nxdt-opt"
    good = True
    lines = [
        "# Compile time",
        "",
        f"`python3 bench/compile_time.py`, {datetime.date.today()}, {os.cpu_count()} x {cpu()}, load {os.getloadavg()[0]:.1f}.",
        "What is measured: the head of bench/compile_time.py.",
        "",
        "| shape | seconds | limit | peak memory | limit | plan.json | compiled three times |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, model, tokens, seconds_limit, memory_limit in SHAPES:
            seconds, peak, same, size = compile_shape(nxdt_opt, model, tokens, Path(folder))
            good &= seconds <= seconds_limit and peak <= memory_limit and same
            lines.append(
                f"| {name}, {tokens} tokens | {seconds:.2f} | {seconds_limit:.0f} | {peak / 2**20:.0f} MiB | {memory_limit >> 20} MiB | {size / 1e6:.1f} MB | "
                f"{'the same bytes' if same else '**different bytes**'} |"
            )
        own, reference = start_up([nxdt_opt, arguments.mlir_opt], Path(folder))
        good &= own <= STARTUP_LIMIT * reference
        lines += ["", f"Start-up on a .mlir file, median of 30: nxdt-opt {own * 1e3:.1f} ms, mlir-opt {reference * 1e3:.1f} ms, ratio {own / reference:.2f} (limit {STARTUP_LIMIT})."]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
