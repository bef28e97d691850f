#!/usr/bin/env python3
"""nxdt-run --simulate: strategies come out equal to one rank, and plans that were damaged are found, with the operation where it begins."""

import argparse
import copy
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "EndToEnd"))

from plan_mutants import MUTANTS, Mutant  # noqa: E402
from tools import Programs, check, fresh, main  # noqa: E402

TP = "distributed_strategy.tensor_model_parallel_size"
SEQUENCE = "++distributed_strategy.sequence_parallel"
RECOMPUTE = "++model.activations_checkpoint_granularity"


def strategies(validation):
    """(name, overrides, options, what must stand in the output)."""
    yield "tp 2 x dp 2", ["trainer.devices=4", f"{TP}=2", f"{SEQUENCE}=True"], ["--simulate-ops"], ["reduced gradients", "values"]
    yield "dp 2 with validation", ["trainer.devices=2", *validation, "distributed_strategy.zero1=False"], ["--steps", "3"], ["val_loss", "step 3"]
    yield "tp 2 in mixed precision", ["trainer.devices=2", f"{TP}=2", "precision.type=mixed_precision"], [], ["masters"]
    yield "recomputed", ["trainer.devices=2", f"{TP}=2", f"{RECOMPUTE}=full"], ["--simulate-ops"], ["values"]
    yield "tp 4 with copied heads", ["trainer.devices=4", f"{TP}=4", "++distributed_strategy.kv_replicator=2"], [], []
    yield "phases", ["trainer.devices=2", f"{TP}=2", f"{RECOMPUTE}=full"], ["--simulate-after-each-pass"], ["phase sharded", "phase recomputed"]


def equal(programs, case, work):
    validation = [f"++data.val_dir={case}/train", "trainer.limit_val_batches=2"]
    for name, overrides, options, expected in strategies(validation):
        options = options if any(option.startswith("--simulate") for option in options) else ["--simulate", *options]
        done = programs.succeed("nxdt-run", *options, case / "config.yaml", f"exp_manager.explicit_log_dir={work}/log", *overrides, cwd=work)
        check(done.stdout.endswith("simulate: equal\n"), f"{name}: {done.stdout}")
        for text in [*expected, "replicas           equal", "padding            equal"]:
            check(text in done.stdout, f"{name}: '{text}' is not in\n{done.stdout}")
        print(f"{name}: equal")
    check(not (work / "log").exists(), "a simulation leaves files in the log folder")


def mutants(programs, case, work):
    """Each is found, and where it begins is named."""
    whole = work / "plan"
    strategy = ["trainer.devices=4", f"{TP}=2", f"exp_manager.explicit_log_dir={work}/log"]
    programs.succeed("nxdt-opt", case / "config.yaml", *strategy, "--origins", "--no-overlap", "--emit=plan", "-o", whole, cwd=work)
    plan = json.loads((whole / "plan.json").read_text())
    done = programs.succeed("nxdt-run", "--simulate", "--plan", whole)
    check(done.stdout.endswith("simulate: equal\n"), done.stdout)
    for change in MUTANTS:
        folder = work / change.__name__
        shutil.copytree(whole, folder)
        mutant = Mutant(copy.deepcopy(plan))
        expected = change(mutant)
        is_static = expected.startswith("verify-")
        (folder / "plan.json").write_text(json.dumps(mutant.finish()))
        done = programs.run("nxdt-run", "--simulate", "--plan", folder)
        check(done.returncode == 1, f"{change.__name__}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        error = done.stderr.splitlines()[-1]
        if is_static:
            check(error.startswith(f"error: {folder}/plan.json: {expected}"), f"{change.__name__}: expected '{expected}', got\n{done.stderr}")
            print(f"{change.__name__}: {error}")
            continue
        check(error.startswith("error: simulate: "), done.stderr)
        check(f"first operation that differs: {expected}" in done.stdout, f"{change.__name__}: expected '{expected}', got\n{done.stdout}")
        found = done.stdout[done.stdout.index("first operation") :]
        print(f"{change.__name__}: {error}\n  {found.splitlines()[0]}")
    check("by way of train_step, instruction" in done_of(programs, work / "halved"), "the scale between is not told")


def done_of(programs, folder):
    return programs.run("nxdt-run", "--simulate", "--plan", folder).stdout


def refused(programs, case, work):
    """One line each."""
    plain = work / "plain"
    programs.succeed("nxdt-opt", case / "config.yaml", f"exp_manager.explicit_log_dir={work}/log", "--emit=plan", "-o", plain, cwd=work)
    huge = work / "huge"
    shutil.copytree(case, huge)
    config = json.loads((huge / "hf" / "config.json").read_text())
    config["vocab_size"] = 2**31
    (huge / "hf" / "config.json").write_text(json.dumps(config))
    for arguments, text in (
        (["--simulate-ops", "--plan", plain], "its values have no names (nxdt-opt --origins)"),
        (["--simulate-after-each-pass", "--plan", plain], "give CONFIG.yaml instead of --plan"),
        (["--simulate", "--steps", "none", case / "config.yaml"], "--steps takes a number from 1 up, not 'none'"),
        (["--steps", "2", case / "config.yaml"], "--steps belongs to --simulate"),
        (["--simulate", huge / "config.yaml", "trainer.devices=2", f"{TP}=2"], "simulate: 2 ranks x "),
        (["--simulate", case / "config.yaml", "data.train_dir=/nowhere"], "data.train_dir: /nowhere"),
    ):
        done = programs.run("nxdt-run", *arguments, cwd=work)
        errors = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
        check(done.returncode == 1 and len(errors) == 1 and text in errors[0], f"expected '{text}', got {done.returncode}:\n{done.stdout}{done.stderr}")


def same_plan(programs, case, work):
    """Names change nothing of what is run."""
    overrides = ["trainer.devices=4", f"{TP}=2", f"{SEQUENCE}=True", f"{RECOMPUTE}=full", f"exp_manager.explicit_log_dir={work}/log"]
    plans = []
    for name, options in (("without", []), ("with", ["--origins"])):
        programs.succeed("nxdt-opt", case / "config.yaml", *overrides, *options, "--emit=plan", "-o", work / name, cwd=work)
        plans.append(json.loads((work / name / "plan.json").read_text()))
    values = [value for program in plans[1]["programs"] for value in program["values"]]
    named = [value for value in values if value.pop("origin", None)]
    check(plans[0] == plans[1], "the plan with --origins differs in more than names")
    check(2 * len(named) > len(values), f"only {len(named)} of {len(values)} values have names")


TESTS = {"equal": equal, "mutants": mutants, "refused": refused, "same-plan": same_plan}


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--test", choices=TESTS, required=True)
    arguments = parser.parse_args()
    TESTS[arguments.test](Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve()))


if __name__ == "__main__":
    main(test)
