#!/usr/bin/env python3
"""The IR that nxdt-opt dumps is short-lined, says where everything comes from, and is exactly what the next phase works on."""

import argparse
import re
from pathlib import Path

from tools import Programs, check, fresh, main

MAX_COLUMNS = 120
CLEAN_UP = ["--canonicalize", "--cse"]
VERIFY = ["--verify-sharding", "--verify-reduction-scale"]
# What nxdt-opt runs from one dump to the next; the mesh makes the last ones interesting.
PHASES = {
    "captured": [],
    "functionalized": ["--functionalize", "--verify-capture", *CLEAN_UP],
    "loss": ["--append-loss"],
    "fused": ["--fuse-attention", *CLEAN_UP],
    "autodiff": ["--autodiff", "--verify-gradients", *CLEAN_UP],
    "step": ["--build-step", *CLEAN_UP, "--record-scales"],
    "sharded": ["--apply-strategy", "--partition", *CLEAN_UP, *VERIFY],
    "recomputed": ["--recompute", *VERIFY],
    "staged": ["--split-stages", "--schedule-stages"],
    "spmd": ["--lower-to-spmd", *CLEAN_UP, "--verify-reduction-scale"],
    "overlapped": ["--bucket-collectives", "--overlap-collectives"],
    "lowered": ["--lower-to-aten", *CLEAN_UP, "--store-in-place", "--verify-plan-ready"],
}
STRATEGY = ["trainer.devices=4", "distributed_strategy.tensor_model_parallel_size=2", "distributed_strategy.sequence_parallel=True"]


def check_lines(path):
    """Only a string (a reason), a signature's line, a declaration of a buffer or a single name is longer than a line should be."""
    text = path.read_text()
    check("%arg" not in text, f"{path.name}: an argument without its buffer's name")
    check("loc(#" not in text, f"{path.name}: a location that stands elsewhere")
    unknown = [line for line in text.splitlines() if "loc(unknown)" in line]
    check(unknown == ["} loc(unknown)"], f"{path.name}: only the module itself has no place, not {unknown[:3]}")
    lengths = []
    for line in text.splitlines():
        lengths.append(len(line))
        plain = re.sub(r'"[^"]*"', '""', line)
        is_declaration = re.match(r"\s*(%\S+: |tensor<|nxdt\.buffer |:)", line)
        check(len(plain) <= MAX_COLUMNS or is_declaration, f"{path.name}: {len(line)} columns: {line[:200]}")
    return sorted(lengths)[len(lengths) // 2], max(lengths)


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())

    programs.succeed("nxdt-opt", case / "config.yaml", *STRATEGY, f"--dump-phases={work}/phases", "--emit=plan", "-o", work / "plan", cwd=work)
    dumps = sorted((work / "phases").glob("*.mlir"))
    check([path.stem[3:] for path in dumps] == list(PHASES), f"phases are {[path.name for path in dumps]}")

    def printed(path, passes=()):
        return programs.succeed("nxdt-opt", path, *passes, "--mlir-print-debuginfo", cwd=work).stdout

    for path, following in zip(dumps, [*dumps[1:], None]):
        median, longest = check_lines(path)
        print(f"{path.name}: median line {median} columns, longest {longest}")
        if following:
            name = following.stem[3:]
            check(printed(path, PHASES[name]) == printed(following), f"{path.name} with {PHASES[name]} is not {following.name}")


if __name__ == "__main__":
    main(test)
