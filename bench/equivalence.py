#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far each strategy lies from one device: runs test/Equivalence/equivalence.py and keeps its log as a table.

    bench/equivalence.py --bin build/bin --golden DIR [--cover full] [--out bench/results/equivalence.md]

`--cover full` is the whole product, what `ctest -L equivalence-full` runs: hours; the default is what `ctest -L equivalence` runs.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", type=Path, required=True)
parser.add_argument("--golden", type=Path, required=True)
parser.add_argument("--cover", choices=("pairwise", "full"), default="pairwise")
parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "equivalence.md")
arguments = parser.parse_args()

with tempfile.TemporaryDirectory() as work:
    table = Path(work) / "table.md"
    command = [
        sys.executable, ROOT / "test/Equivalence/equivalence.py", "--bin", arguments.bin, "--cases", ROOT / "test/EndToEnd/cases",
        "--golden", arguments.golden, "--cover", arguments.cover, "--work", f"{work}/runs", "--table", table,
    ]  # fmt: skip
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = []
    for line in process.stdout:
        print(line, end="", flush=True)
        log.append(line)
    code = process.wait()
    notes = "".join(f"- {line}" for line in log if line.startswith(("not legal", "left out")) or "FAILED" in line or "runs are equal" in line)
    rows = table.read_text() if table.exists() else ""
arguments.out.write_text(
    f"# Strategies against one device\n\n`bench/equivalence.py --cover {arguments.cover}`, {datetime.date.today()}, {platform.machine()}, "
    f"{os.cpu_count()} cores, Gloo.\nThe largest distances over a run: loss, grad_norm and lr relative to the reference run's in every step, weights absolute "
    "after the last,\nval_loss relative to the same case on one rank. What is allowed: test/EndToEnd/README.md; val_loss 2e-6.\n\n" + notes + "\n" + rows
)
sys.exit(code)
