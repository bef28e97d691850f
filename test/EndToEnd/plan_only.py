#!/usr/bin/env python3
"""A plan that nxdt-opt wrote runs where there is neither nxdt-opt nor MLIR, and is the same run; compiling is deterministic."""

import argparse
import filecmp
import json
import shutil
from pathlib import Path

from compare import compare_steps, compare_weights
from tools import Programs, check, export, fresh, main, read_folder, read_metrics, read_safetensors


def same_folder(left, right):
    compared = filecmp.dircmp(left, right)
    check(not compared.left_only and not compared.right_only, f"only in one: {compared.left_only} {compared.right_only}")
    names = [str(path.relative_to(left)) for path in Path(left).rglob("*") if path.is_file()]
    check(names, f"{left} is empty")
    _, different, errors = filecmp.cmpfiles(left, right, names, shallow=False)
    check(not different and not errors, f"compiled twice, these differ: {different + errors}")
    return names


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())

    override = f"exp_manager.explicit_log_dir={work}/log"
    for plan in ("plan", "plan-again"):
        programs.succeed("nxdt-opt", case / "config.yaml", override, "--emit=plan", "-o", work / plan)
    names = same_folder(work / "plan", work / "plan-again")
    for phase in ("captured", "fused", "autodiff"):
        for out in (f"{phase}.mlir", f"{phase}-again.mlir"):
            programs.succeed("nxdt-opt", case / "config.yaml", override, f"--emit={phase}", "-o", work / out)
        check(filecmp.cmp(work / f"{phase}.mlir", work / f"{phase}-again.mlir", shallow=False), f"--emit={phase} differs from run to run")

    # A folder with nxdt-run alone: nothing beside it that could compile.
    alone = fresh(work / "bin")
    shutil.copy2(programs.path("nxdt-run"), alone / "nxdt-run")
    plan_text = {name: (work / "plan" / name).read_bytes() for name in names}
    Programs(alone).succeed("nxdt-run", "--plan", work / "plan", cwd=work)
    expected = json.loads((case / "expected.json").read_text())
    steps, _ = read_metrics(work / "log")
    compare_steps(steps, expected["steps"], expected["run"]["gbs"])
    compare_weights(read_folder(export(programs, work / "log", work / "hf")), read_safetensors(case / "final.safetensors"))
    check(plan_text == {name: (work / "plan" / name).read_bytes() for name in names}, "running changed the plan")
    print(f"{len(names)} files of the plan, byte for byte the same; the plan alone is the reference run")


if __name__ == "__main__":
    main(test)
