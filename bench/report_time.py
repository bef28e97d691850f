#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a report costs: time and peak memory of `nxdt-opt CONFIG --report=json` for NxD Training's own files.

    python3 bench/report_time.py --configs FOLDER [--bin build/bin] [--out bench/results/report_time.md]

FOLDER holds the files as NxD Training ships them; only model.model_config is set. Each is reported as it is, and those without stages for tp 8 x dp 64.
Three runs each, the slowest counts; the bytes must be the same each time. Exit status 1 where a limit is missed.
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from compile_time import ROOT, cpu, measure

LIMIT_S = 10.0
PIPELINE_LIMIT_S, PIPELINE_LIMIT_BYTES = 60.0, 4 << 30
PIPELINES = [
    ("hf_llama3_70B", "llama3-70b"),
    ("hf_llama3.1_70B", "llama3-70b"),
    ("hf_llama3_70B_trn2", "llama3-70b"),
    ("hf_llama3.1_405B_trn1", "llama3.1-405b"),
]
FILES = [("hf_llama_7B", "llama-7b"), ("hf_llama3_8B", "llama3-8b"), ("hf_llama3_8B_trn2", "llama3-8b"), ("hf_llama3.1_8B", "llama3-8b")]
LARGE = ["trainer.devices=512", "trainer.num_nodes=1", "distributed_strategy.tensor_model_parallel_size=8", "++distributed_strategy.kv_replicator=1"]


def report(nxdt_opt, config, model, overrides, work):
    """(seconds, peak bytes, the report, the same bytes each time)."""
    command = [nxdt_opt, config, f"model.model_config={ROOT}/configs/models/{model}/config.json", *overrides, "--report=json"]
    seconds, peaks, digests = [], [], set()
    for _ in range(3):
        with open(work / "report.json", "wb") as out:
            time_s, peak = measure(["sh", "-c", 'exec "$@" > "$0"', out.name, *command])
        seconds.append(time_s)
        peaks.append(peak)
        digests.add(hashlib.sha256((work / "report.json").read_bytes()).hexdigest())
    return max(seconds), max(peaks), json.loads((work / "report.json").read_text()), len(digests) == 1


def will_run(nxdt_opt, config, model, overrides, work):
    """Whether --emit=plan takes it, else its first error without the place."""
    command = [nxdt_opt, config, f"model.model_config={ROOT}/configs/models/{model}/config.json", *overrides, "--emit=plan", "-o", work / "plan"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return "yes"
    return next((line.split(": ", 2)[-1] for line in done.stderr.splitlines() if line.startswith("error: ")), "no")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configs", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    nxdt_opt = arguments.bin.resolve() / "nxdt-opt"
    good = True
    lines = [
        "# Report time",
        "",
        f"`python3 bench/report_time.py`, {datetime.date.today()}, {os.cpu_count()} x {cpu()}, load {os.getloadavg()[0]:.1f}.",
        f"What is measured: the head of bench/report_time.py. The limit is {LIMIT_S:.0f} s; {PIPELINE_LIMIT_S:.0f} s and 4 GiB with a pipeline.",
        "",
        "| file | mesh | seconds | peak memory | bytes of a rank | sent by a rank per step | PFLOP of all ranks per step | same bytes | compiles to a plan |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, model in FILES + PIPELINES:
            config = arguments.configs / f"{name}_config.yaml"
            has_stages = (name, model) in PIPELINES
            for overrides in [[]] if has_stages else ([], LARGE):
                seconds, peak, told, same = report(nxdt_opt, config, model, overrides, Path(folder))
                runs = will_run(nxdt_opt, config, model, overrides, Path(folder))
                good &= seconds <= (PIPELINE_LIMIT_S if has_stages else LIMIT_S) and same
                good &= not has_stages or peak <= PIPELINE_LIMIT_BYTES
                mesh = " x ".join(f"{axis} {size}" for axis, size in told["mesh"].items() if size > 1)
                lines.append(
                    f"| {name} | {mesh} | {seconds:.2f} | {peak / 2**20:.0f} MiB | {told['memory']['total_bytes'] / 2**30:.2f} GiB | "
                    f"{told['step']['sent_bytes'] / 2**30:.1f} GiB | {told['flops']['step_of_all_ranks'] / 1e15:.1f} | {'yes' if same else '**no**'} | {runs} |"
                )
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
