#!/usr/bin/env python3
"""nxdt-run --simulate with a pipeline: stages come out equal to one rank, and damaged plans of stages are refused or found."""

import argparse
import copy
import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "EndToEnd"))

from tools import Programs, check, fresh, main  # noqa: E402

PP = "distributed_strategy.pipeline_model_parallel_size=2"


def program(stage, name):
    return next(item for item in stage["programs"] if item["name"] == name)


def wrong_tensor(stages):
    """A stage sends another tensor of the same shape: what arrives is told, with its channel."""
    first = stages[0]
    channel = next(item for item in first["channels"] if item["direction"] == "send" and item["name"].startswith("act"))
    buffers = first["buffers"]
    sent = buffers[channel["buffer"]]
    others = [i for i, b in enumerate(buffers) if b["role"] == "carry" and b["name"].startswith("act") and b["shape"] == sent["shape"] and b is not sent]
    channel["buffer"] = others[0]
    return f"forward.1 of stage 1, micro-batch 0: what arrived over channel {channel['name']} from stage 0"


def counted_twice(stages):
    """A gradient that a stage adds twice: the write to the buffer is named."""
    last = stages[-1]
    items = program(last, "backward.1")
    for index, item in enumerate(items["instructions"]):
        if item["op"] == "aten::add_.Tensor" and "norm" in item["module"]:
            item["args"][2] = 2
            return f"backward.1 of stage 1, micro-batch {{}}, instruction {index}: aten::add_.Tensor"
    raise LookupError("no accumulation")


def lost_share(stages):
    """What a copy of a tied weight sends is not added to the owner's gradient."""
    items = program(stages[0], "import_shared_grads.s0")["instructions"]
    index = next(i for i, item in enumerate(items) if item["op"] == "aten::add_.Tensor")
    items[index]["args"][2] = 0
    return None


def wrong_peer(stages):
    """A channel that goes elsewhere is refused before anything runs."""
    stages[0]["channels"][0]["peer"] = 0
    return None


def moved_action(stages):
    """A stage that uses what it has not waited for is refused too."""
    actions = stages[1]["schedules"][0]["actions"]
    wait = next(i for i, action in enumerate(actions) if action.startswith("wait act"))
    actions[wait], actions[wait + 1] = actions[wait + 1], actions[wait]
    return None


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())
    log = f"exp_manager.explicit_log_dir={work}/log"
    for vpp in (1, 2):
        interleaved = f"++distributed_strategy.virtual_pipeline_model_parallel_size={vpp}"
        done = programs.succeed("nxdt-run", "--simulate-ops", case / "config.yaml", "trainer.devices=2", PP, interleaved, log, cwd=work)
        check(done.stdout.endswith("simulate: equal\n") and "values" in done.stdout, done.stdout)
    whole = work / "plan"
    programs.succeed("nxdt-opt", case / "config.yaml", "trainer.devices=2", PP, log, "--origins", "--emit=plan", "-o", whole, cwd=work)
    plan = json.loads((whole / "plan.json").read_text())
    for change in (wrong_tensor, counted_twice, lost_share, wrong_peer, moved_action):
        folder, mutant = work / change.__name__, copy.deepcopy(plan)
        shutil.copytree(whole, folder)
        expected = change(mutant["stages"])
        (folder / "plan.json").write_text(json.dumps(mutant))
        done = programs.run("nxdt-run", "--simulate", "--plan", folder)
        error = done.stderr.splitlines()[-1] if done.stderr else ""
        check(done.returncode == 1, f"{change.__name__}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        if expected is None:
            check(error.startswith(f"error: {folder}/plan.json: "), f"{change.__name__}: is not refused\n{done.stdout}{done.stderr}")
        else:
            begin, _, end = expected.partition("{}")
            found = [line for line in done.stdout.splitlines() if line.startswith(f"first operation that differs: {begin}") and end in line]
            check(found, f"{change.__name__}: expected '{expected}', got\n{done.stdout}{done.stderr}")
        print(f"{change.__name__}: {error}")


if __name__ == "__main__":
    main(test)
