#!/usr/bin/env python3
"""Trains on two processes what one trains: the reference's losses and weights, checkpoints in the files of both, and how such runs end."""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from compare import compare_steps, compare_weights
from tools import Failure, Programs, check, checkpoints, export, fresh, main, read_folder, read_metrics, read_safetensors

TWO = "trainer.devices=2"
RESUME = "++exp_manager.resume_if_exists=True"


def every(steps):
    return f"exp_manager.checkpoint_callback_params.every_n_train_steps={steps}"


class Plans:
    """The case's plans for one rank and for two, with and without ZeRO-1."""

    def __init__(self, programs, case, work):
        self.programs, self.work, self.case = programs, work, case
        self.one = self.compile("one", "trainer.devices=1")
        self.replicated = self.compile("replicated", TWO, "distributed_strategy.zero1=False")
        self.zero1 = self.compile("zero1", TWO, "distributed_strategy.zero1=True")

    def compile(self, name, *overrides):
        out = self.work / name
        log = f"exp_manager.explicit_log_dir={self.work}/log"
        self.programs.succeed("nxdt-opt", self.case / "config.yaml", log, *overrides, "--emit=plan", "-o", out, cwd=self.work)
        return out

    def arguments(self, plan, log, *overrides):
        return ["--plan", plan, f"exp_manager.explicit_log_dir={log}", *overrides]

    def train(self, plan, log, *overrides, env=None):
        return self.programs.succeed("nxdt-run", *self.arguments(plan, log, *overrides), env=env)


def against_reference(plans, case):
    expected = json.loads((case / "expected.json").read_text())
    for plan in (plans.replicated, plans.zero1):
        log = plans.work / f"log-{plan.name}"
        done = plans.train(plan, log, TWO)
        check("2 ranks (pp 1 x dp 2 x cp 1 x tp 1)" in done.stdout, f"the start says nothing of two ranks:\n{done.stdout}")
        check(done.stdout.count("memory per rank") == 1 and "[rank 1]" not in done.stderr, f"more than the first rank tells:\n{done.stdout}{done.stderr}")
        steps, _ = read_metrics(log)
        apart = compare_steps(steps, expected["steps"], expected["run"]["gbs"])
        out = export(plans.programs, log, plans.work / f"hf-{plan.name}")
        largest, _ = compare_weights(read_folder(out), read_safetensors(case / "final.safetensors"))
        print(f"{plan.name}: apart by loss {apart['loss']:.1e}, grad_norm {apart['grad_norm']:.1e}, weights {largest:.1e}")


def tree_of_files(plans):
    for plan, wanted in (("replicated", ["optim/dp_rank_00"]), ("zero1", ["optim/dp_rank_00", "optim/dp_rank_01"])):
        tag = checkpoints(plans.work / f"log-{plan}")[-1]
        found = sorted(str(path.relative_to(tag)) for path in tag.rglob("dp_rank*.pt"))
        files = [f"{name}_tp_rank_00_pp_rank_00.pt" for name in ["model/dp_rank_00", *wanted]]
        check(found == files, f"{plan}: the files are {found}, not {files}")
        plans.programs.succeed("nxdt-ckpt", "verify", tag)
    victim = tag / files[-1]
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1])
    done = plans.programs.run("nxdt-ckpt", "verify", tag)
    check(done.returncode == 1 and str(victim) in done.stderr, f"a damaged file of a rank: {done.stderr}")
    victim.write_bytes(whole)


def same_metrics(left, right, exact):
    (a, _), (b, _) = read_metrics(left), read_metrics(right)
    check(len(a) == len(b) > 0, f"{len(a)} and {len(b)} steps")
    for one, other in zip(a, b):
        for key in ("loss", "grad_norm"):
            equal = one[key] == other[key] if exact else abs(one[key] - other[key]) <= 1e-4 * abs(other[key])
            check(equal, f"step {one['step']}: {key} is {one[key]!r}, not {other[key]!r}")


def resuming(plans):
    """Bit for bit with the same plan, nearly with another one, which is told."""
    whole = plans.work / "log-whole"
    plans.train(plans.zero1, whole, TWO, every(6))
    for name, plan, devices, exact in (("same", plans.zero1, TWO, True), ("other", plans.one, "trainer.devices=1", False)):
        log = plans.work / f"log-{name}"
        plans.train(plans.zero1, log, TWO, every(6), "trainer.max_steps=6")
        done = plans.train(plan, log, devices, every(6), RESUME)
        told = "written by pp 1 x dp 2 x cp 1 x tp 1 and is cut anew for pp 1 x dp 1 x cp 1 x tp 1" in done.stdout
        check(told != exact, f"{name}: {done.stdout}")
        same_metrics(log, whole, exact)
    left, right = (read_folder(export(plans.programs, plans.work / name, plans.work / f"hf-{name}")) for name in ("log-same", "log-whole"))
    check(left == right, "weights differ after resuming")
    # And back: two ranks continue what one has begun.
    log = plans.work / "log-back"
    plans.train(plans.one, log, every(6), "trainer.max_steps=6")
    plans.train(plans.zero1, log, TWO, every(6), RESUME)
    same_metrics(log, whole, exact=False)


def evaluation(plans, case):
    """The same val_loss as of one rank, with a last batch that must be filled up."""
    overrides = [f"++data.val_dir={case}/train", "trainer.val_check_interval=5", "trainer.limit_val_batches=1.0", "trainer.num_sanity_val_steps=1"]
    losses = []
    for plan, devices in ((plans.one, "trainer.devices=1"), (plans.zero1, TWO)):
        log = plans.work / f"log-eval-{plan.name}"
        plans.train(plan, log, devices, *overrides, "++trainer.check_val_every_n_epoch=null")
        losses.append([line["val_loss"] for line in read_metrics(log)[1]])
    check(len(losses[0]) == len(losses[1]) >= 2, f"val_loss: {losses}")
    for one, two in zip(*losses):
        check(abs(one - two) <= 1e-6 * one, f"val_loss is {two!r}, on one rank {one!r}")


def under_a_launcher(plans):
    """Two nodes of one process each, by torchrun's variables: the bits of two processes that nxdt-run starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = plans.work / "log-launched"
    command = plans.programs.command("nxdt-run", *plans.arguments(plans.zero1, log, "trainer.devices=1", "trainer.num_nodes=2"))
    processes = []
    for rank in range(2):
        variables = {
            "RANK": rank, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1,
        }  # fmt: skip
        environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
        processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    for process in processes:
        out, _ = process.communicate(timeout=120)
        check(process.returncode == 0, out)
    again = plans.work / "log-started"
    plans.train(plans.zero1, again, TWO, env={"OMP_NUM_THREADS": "1"})
    same_metrics(log, again, exact=True)


def resharding(plans, case):
    """To one rank (from the YAML) and back to two (from a plan): the same bytes, and a run continues them as its own."""
    first, work = checkpoints(plans.work / "log-zero1")[-1], plans.work / "reshard"
    plans.programs.succeed("nxdt-ckpt", "reshard", first, case / "config.yaml", work / "checkpoints", cwd=plans.work)
    one = work / "checkpoints" / first.name
    done = plans.programs.succeed("nxdt-ckpt", "reshard", one, plans.zero1, work / "two.ckpt")
    check("from pp 1 x dp 1 x cp 1 x tp 1 to pp 1 x dp 2 x cp 1 x tp 1" in done.stdout, done.stdout)
    for path in first.rglob("dp_rank*.pt"):
        check(path.read_bytes() == (work / "two.ckpt" / path.relative_to(first)).read_bytes(), f"{path} is another one after two reshards")
    weights = []
    for tag in (first, one, work / "two.ckpt"):
        plans.programs.succeed("nxdt-ckpt", "to-hf", tag, work / f"hf-{len(weights)}")
        weights.append(read_folder(work / f"hf-{len(weights)}"))
    check(weights[0] == weights[1] == weights[2], "resharding changes weights")
    done = plans.train(plans.one, work, RESUME, "trainer.max_steps=14")
    check("continues" in done.stdout and "cut anew" not in done.stdout, done.stdout)
    for out, text in ((work / "two.ckpt", "exists already"), (work / "new.ckpt", "plan.json")):
        done = plans.programs.run("nxdt-ckpt", "reshard", one, work, out)
        check(done.returncode == 1 and text in done.stderr and done.stderr.count("\n") == 1, done.stderr)


def refused(plans, text, *arguments, code=1, env=None):
    done = plans.programs.run("nxdt-run", *arguments, env=env)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    check(done.returncode == code and len(errors) == 1 and text in errors[0], f"expected exit status {code} and '{text}', got {done.returncode}:\n{done.stderr}")


def refusals(plans):
    log = plans.work / "log-refused"
    refused(plans, "pipeline * context) = 2, the configuration has 1", *plans.arguments(plans.zero1, log, "trainer.devices=1"))
    refused(plans, "trainer.num_nodes = 2: start nxdt-run on every node", *plans.arguments(plans.zero1, log, "trainer.devices=1", "trainer.num_nodes=2"))
    done = plans.programs.run("nxdt-run", *plans.arguments(plans.zero1, log, TWO, "data.train_dir=/nonexistent"))
    told_once = done.stderr.count("error: ") == 1 and "/nonexistent: there is no such folder" in done.stderr
    check(done.returncode == 1 and told_once and "frame #" not in done.stderr, f"not one error, exit status {done.returncode}:\n{done.stderr}")
    launched = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29555"}
    refused(
        plans, "torchrun has started 1 process, but trainer.devices * trainer.num_nodes = 2 * 1 = 2",
        *plans.arguments(plans.zero1, log, TWO), env=launched,
    )  # fmt: skip


def unproven(plans):
    """A plan that somebody has changed is proven again where it is loaded, before any step."""
    plan = json.loads((plans.replicated / "plan.json").read_text())
    program = next(program for program in plan["programs"] if program["name"] == "finish_step")
    at, sum_ = next((at, item) for at, item in enumerate(program["instructions"]) if item["op"] == "nxdt::all_reduce")
    sum_["reduction"] = "max"
    damaged, log = plans.work / "damaged", plans.work / "log-damaged"
    shutil.copytree(plans.replicated, damaged)
    (damaged / "plan.json").write_text(json.dumps(plan))
    refused(plans, f"verify-spmd: program 'finish_step', instruction {at}, nxdt::all_reduce of ", *plans.arguments(damaged, log, TWO))
    check(not list(log.rglob("metrics.jsonl")), "a plan that is not proven has begun to train")


def start(plans, log, *overrides):
    command = plans.programs.command("nxdt-run", *plans.arguments(plans.zero1, log, TWO, "trainer.max_steps=100000", every(5), *overrides))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while not checkpoints(log) if (log / "checkpoints").exists() else True:
        check(process.poll() is None and time.monotonic() < deadline, "no checkpoint was written")
        time.sleep(0.01)
    return process


def end_of(process):
    """What it told, (stdout, stderr); nothing is left running."""
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise Failure(f"did not end within 60 s:\n{out[-2000:]}{err}") from None


def ranks_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    check(len(children) == 2, f"{len(children)} ranks")
    return [int(child) for child in children]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends_in_order(plans):
    """SIGTERM to the run, or to one rank only: both finish the same step, and save_last leaves a checkpoint of exactly it."""
    for target in ("run", "rank"):
        log = plans.work / f"log-stopped-{target}"
        process = start(plans, log, "++exp_manager.checkpoint_callback_params.save_last=True")
        os.kill(process.pid if target == "run" else ranks_of(process)[1], signal.SIGTERM)
        out, err = end_of(process)
        check(process.returncode == 128 + signal.SIGTERM, f"exit status {process.returncode}:\n{out[-2000:]}{err}")
        check("error" not in err and "stopped by SIGTERM after step" in err, err)
        step = int(err.split("after step ")[1].split()[0])
        last = checkpoints(log)[-1]
        check(f"step={step}" in last.name and last.name.endswith("-last.ckpt"), f"stopped after step {step}, the last checkpoint is {last.name}")
        plans.programs.succeed("nxdt-ckpt", "verify", last)


def a_rank_dies(plans):
    """All end within 10 s with one line that says who, and the last checkpoint is whole."""
    for victim in (0, 1):
        log = plans.work / f"log-killed-{victim}"
        process = start(plans, log)
        ranks = ranks_of(process)
        os.kill(ranks[victim], signal.SIGKILL)
        began = time.monotonic()
        out, err = end_of(process)
        check(time.monotonic() - began < 10, f"took {time.monotonic() - began:.1f} s to end")
        check(process.returncode == 128 + signal.SIGKILL, f"exit status {process.returncode}:\n{err}")
        check(f"rank {victim} (" in err and "Killed" in err and "step " in err, err)
        check(not any(is_alive(rank) for rank in ranks), "a rank is left over")
        plans.programs.succeed("nxdt-ckpt", "verify", checkpoints(log)[-1])
        plans.train(plans.zero1, log, TWO, RESUME, f"trainer.max_steps={len(read_metrics(log)[0]) + 2}", every(5))


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    case = arguments.case.resolve()
    plans = Plans(Programs(arguments.bin), case, fresh(arguments.work.resolve()))
    against_reference(plans, case)
    tree_of_files(plans)
    resuming(plans)
    evaluation(plans, case)
    under_a_launcher(plans)
    resharding(plans, case)
    refusals(plans)
    unproven(plans)
    ends_in_order(plans)
    a_rank_dies(plans)


if __name__ == "__main__":
    main(test)
