#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a case in fp32 and in mixed precision; check_pt.py reads every .pt file of both checkpoints.

usage: pt_files_test.py --bin BIN --work DIR --case DIR
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "EndToEnd"))

from tools import Programs, check, checkpoints, fresh, main  # noqa: E402


def read_all(tag):
    return subprocess.run([sys.executable, HERE / "check_pt.py", tag], capture_output=True, text=True)


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--case", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())
    for precision in ("fp32", "mixed_precision"):
        log_dir = work / precision
        programs.succeed("nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={log_dir}", f"precision.type={precision}", cwd=work)
        tag = checkpoints(log_dir)[-1]
        done = read_all(tag)
        check(done.returncode == 0, done.stderr)
        print(done.stdout, end="")
    # The reader itself must refuse: a weight file of the other run has other types.
    weights = next((work / "fp32").glob("checkpoints/*.ckpt/model/*.pt"))
    weights.write_bytes(next((work / "mixed_precision").glob("checkpoints/*.ckpt/optim/*.pt")).read_bytes())
    check(read_all(weights.parent.parent).returncode == 1, "check_pt.py accepts a file that does not belong there")


if __name__ == "__main__":
    main(test)
