#!/usr/bin/env python3
"""Trains pipelines of a small model made by hand (test/Unit/Executor/StagedModel.h) with nxdt-run alone, against the same model as
one plan: two and four stages, several chunks on each, data-parallel ranks, evaluation, a tied weight; resumed, resumed by other
ranks, cut anew; and a stage that is killed.
"""

import argparse
import json
import math
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from killed_ranks import ranks_of
from ranks import is_alive
from tools import Programs, check, checkpoints, export, floats, fresh, main, read_folder, read_metrics

ROWS, SEQUENCE, GLOBAL_BATCH, STEPS = 2, 32, 8, 6
CONFIG = """\
name: staged
model_source: hf
seed: 11
trainer:
  devices: {devices}
  max_steps: {steps}
  log_every_n_steps: 1
  val_check_interval: 3
  check_val_every_n_epoch: null
  num_sanity_val_steps: 0
exp_manager:
  explicit_log_dir: {log}
  create_tensorboard_logger: False
  resume_if_exists: False
  resume_ignore_no_checkpoint: True
  create_checkpoint_callback: True
  checkpoint_callback_params:
    monitor: step
    save_top_k: -1
    mode: max
    save_last: False
    filename: 'staged--{{step}}'
    every_n_train_steps: 3
distributed_strategy:
  pipeline_model_parallel_size: {stages}
data:
  micro_batch_size: 2
  global_batch_size: 8
  train_dir: {case}/train
  val_dir: {case}/train
model:
  model_config: {model}
  encoder_seq_length: 32
  max_position_embeddings: 64
  optim:
    name: adamw
    lr: 0.00001
precision:
  type: fp32
"""


class Runs:
    def __init__(self, programs, plans, case, work):
        self.programs, self.plans, self.case, self.work = programs, plans, case, work

    def folder(self, name, stages=1, dp=1, layers=4, tied=False, one_f_one_b=False):
        """A plan folder, as nxdt-opt would have written it."""
        folder = fresh(self.work / f"plan-{name}")
        arguments = {"layers": layers, "stages": stages, "dp": dp, "rows": ROWS, "sequence": SEQUENCE, "vocabulary": 128}
        arguments |= {"microBatches": GLOBAL_BATCH // (ROWS * dp), "isTied": int(tied), "isOneFOneB": int(one_f_one_b)}
        command = [str(self.plans), *(f"{key}={value}" for key, value in arguments.items())]
        (folder / "plan.json").write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        values = {"devices": stages * dp, "stages": stages, "steps": STEPS, "case": self.case, "log": self.work / f"log-{name}"}
        # Enough layers for as many stages; nobody else looks at it.
        model = json.loads((self.case / "hf" / "config.json").read_text())
        values["model"] = folder / "model_config.json"
        values["model"].write_text(json.dumps(model | {"num_hidden_layers": layers}))
        (folder / "config.yaml").write_text(CONFIG.format(**values))
        return folder

    def train(self, folder, log, *overrides):
        done = self.programs.succeed("nxdt-run", "--plan", folder, f"exp_manager.explicit_log_dir={self.work / log}", *overrides)
        return done.stdout

    def fails(self, *arguments):
        done = self.programs.run("nxdt-run", *arguments)
        check(done.returncode == 1, f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return re.sub(r"^\[rank \d+\] ", "", done.stderr.strip())


def same_metrics(found, expected, what, close):
    for mine, theirs in zip(found, expected, strict=True):
        check(len(mine) == len(theirs), f"{what}: other numbers of lines")
        for a, b in zip(mine, theirs):
            for key in b:
                if key in ("loss", "val_loss") and not close:
                    check(a[key] == b[key], f"{what}, step {b['step']}: {key} is {a[key]}, not {b[key]}")
                elif key in ("loss", "val_loss", "grad_norm"):
                    check(math.isclose(a[key], b[key], rel_tol=1e-5), f"{what}, step {b['step']}: {key} is {a[key]}, not {b[key]}")


def same_weights(found, expected, what, close=False):
    check(sorted(found) == sorted(expected), f"{what}: has {sorted(found)}, not {sorted(expected)}")
    for name, tensor in expected.items():
        if not close:
            check(found[name] == tensor, f"{what}: {name} differs")
            continue
        for a, b in zip(floats(found[name], name), floats(tensor, name), strict=True):
            check(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6), f"{what}: {name} has {a}, not {b}")


def check_equal(runs, name, expected, close=False, **shape):
    """A run of `shape`, whose log folder and output are returned."""
    folder = runs.folder(name, **shape)
    out = runs.train(folder, f"log-{name}")
    log = runs.work / f"log-{name}"
    same_metrics(read_metrics(log), read_metrics(expected), name, close)
    weights = read_folder(export(runs.programs, expected, runs.work / f"hf-of-{name}-expected"))
    same_weights(read_folder(export(runs.programs, log, runs.work / f"hf-of-{name}")), weights, name, close)
    return folder, log, out


def check_tables(out, stages):
    """Each stage's memory and what it sends; what was predicted is what was measured."""
    for stage in range(stages):
        check(re.search(rf"^memory, stage {stage} +predicted +measured$", out, re.M), f"no memory of stage {stage}:\n{out}")
    sends = re.findall(r"^  send to stage (\d+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)$", out, re.M)
    check(len(sends) == 2 * (stages - 1), f"sends to other stages: {sends}\n{out}")
    tensor = ROWS * SEQUENCE * 4
    for peer, calls, *counts in sends:
        check(set(counts) == {f"{int(calls) * tensor:,}"}, f"to stage {peer}: {calls} calls, {counts}")


def check_resume(runs, folder, log, other):
    """Half of the steps, then the other half: by the same ranks, and by those of `other`."""
    weights = read_folder(export(runs.programs, log, runs.work / "hf-undisturbed"))
    for name, second in (("same", folder), ("other", other)):
        half = f"log-half-{name}"
        runs.train(folder, half, "trainer.max_steps=3")
        out = runs.train(second, half, "exp_manager.resume_if_exists=True")
        check("at step 3" in out, f"does not resume:\n{out}")
        check(("is cut anew for" in out) == (name == "other"), f"says otherwise whether ranks are others:\n{out}")
        same_weights(read_folder(export(runs.programs, runs.work / half, runs.work / f"hf-{name}")), weights, f"resumed by {name}")
        steps, evaluations = read_metrics(runs.work / half)
        expected_steps, expected_evaluations = read_metrics(log)
        for a, b in zip(steps + evaluations, expected_steps + expected_evaluations, strict=True):
            for key in ("step", "loss", "val_loss"):
                check(a.get(key) == b.get(key), f"resumed by {name}: {a} is not {b}")


def check_reshard(runs, log, other):
    """There and back, the files are byte for byte what they were."""
    tag = checkpoints(log)[-1]
    names = sorted(path.name for path in (tag / "model").iterdir())
    check(names == [f"dp_rank_00_tp_rank_00_pp_rank_0{stage}.pt" for stage in range(2)], f"files {names}")
    back = runs.work / f"plan-{log.name.removeprefix('log-')}"
    runs.programs.succeed("nxdt-ckpt", "reshard", tag, other, runs.work / "there.ckpt")
    check(len(list((runs.work / "there.ckpt" / "model").iterdir())) == 4, "not a file for each of four stages")
    runs.programs.succeed("nxdt-ckpt", "reshard", runs.work / "there.ckpt", back, runs.work / "back.ckpt")
    for path in sorted([*(tag / "model").iterdir(), *(tag / "optim").iterdir()]):
        again = runs.work / "back.ckpt" / path.relative_to(tag)
        check(again.read_bytes() == path.read_bytes(), f"{path.relative_to(tag)} is not what it was")
    for folder in ("there.ckpt", "back.ckpt"):
        runs.programs.succeed("nxdt-ckpt", "verify", runs.work / folder)


def check_kill(runs, folder):
    """The last stage dies: the others end, and say in which channel they or it were."""
    log = fresh(runs.work / "log-killed")
    command = runs.programs.command("nxdt-run", "--plan", folder, f"exp_manager.explicit_log_dir={log}", "trainer.max_steps=100000", "trainer.val_check_interval=null", "exp_manager.create_checkpoint_callback=False")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    try:
        metrics = log / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b"\n") > 20):
            time.sleep(0.01)
        ranks = ranks_of(process)
        check(len(ranks) == 4, f"{len(ranks)} ranks")
        os.kill(ranks[-1], signal.SIGKILL)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    took_s = time.monotonic() - began
    check(took_s <= 10, f"took {took_s:.1f} s to end:\n{err}")
    check(process.returncode == 128 + signal.SIGKILL, f"exit status {process.returncode}:\n{err}")
    check(re.search(r"error: rank 3 .*died; it last reported: step \d+", err), f"does not say which rank:\n{err}")
    check(not any(is_alive(rank) for rank in ranks), "a rank is left over")
    return took_s, err


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--plans", type=Path, required=True, help="nxdt_staged_plan")
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    work = fresh(arguments.work.resolve())
    runs = Runs(Programs(arguments.bin), arguments.plans.resolve(), arguments.case.resolve(), work)

    whole = {}
    for name, shape in {"one": {}, "dp2": {"dp": 2}, "tied": {"tied": True}}.items():
        runs.train(runs.folder(name, **shape), f"log-{name}")
        whole[name] = work / f"log-{name}"
        steps, evaluations = read_metrics(whole[name])
        check(len(steps) == STEPS and len(evaluations) == 2, f"{name}: {len(steps)} steps, {len(evaluations)} evaluations")

    four, _, out = check_equal(runs, "pp4", whole["one"], stages=4, one_f_one_b=True)
    check_tables(out, 4)
    two, log, out = check_equal(runs, "pp2", whole["one"], stages=2)
    check("4,096 parameters" in out, f"4 layers of 32 x 32:\n{out}")
    check_equal(runs, "pp2dp2", whole["dp2"], stages=2, dp=2)
    _, tied, _ = check_equal(runs, "pp2tied", whole["tied"], close=True, stages=2, tied=True)
    manifest = json.loads((checkpoints(tied)[-1] / "manifest.json").read_text())
    check(len(manifest["model"]["w0"]) == 1, f"the tied weight is written {len(manifest['model']['w0'])} times")
    check_resume(runs, two, log, four)
    check_reshard(runs, log, four)

    wrong = runs.fails("--plan", two, "data.global_batch_size=4")
    check("error: data.global_batch_size = 4 is 2 micro-batches, but the schedule 'train_step' of" in wrong, wrong)
    check("has 4: with a pipeline it is compiled in; take 8, give it to nxdt-opt" in wrong and wrong.count("\n") == 0, wrong)
    # At a random moment, which may be in the collectives at the end of a step.
    for _ in range(8):
        took_s, err = check_kill(runs, four)
        if " of channel " in err:
            break
    check(" of channel " in err, f"names no channel:\n{err}")
    print(f"pipelines of 2 and 4 stages are one plan's run; a killed stage ended all after {took_s:.1f} s")


if __name__ == "__main__":
    main(test)
