#!/usr/bin/env python3
"""Ends one rank of four (tp 2 x dp 2, or pp 2 x tp 2 with --pipeline; ZeRO-1, sequence parallel) at random moments, by SIGKILL or SIGSTOP.

Each time all others end within 10 s, say which rank it was, on which host, at which step and in which collective, and nothing is
left running. Resumed, the run ends with the bits of one that nobody disturbed.
"""

import argparse
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from ranks import is_alive
from resume import lines
from tools import Programs, check, checkpoints, export, fresh, main, read_folder, read_metrics

RANKS = 4
OVERRIDES = [
    "trainer.devices=4",
    "distributed_strategy.tensor_model_parallel_size=2",
    "distributed_strategy.zero1=True",
    "distributed_strategy.sequence_parallel=True",
    "++exp_manager.resume_if_exists=True",
    "++exp_manager.resume_ignore_no_checkpoint=True",
    "exp_manager.checkpoint_callback_params.every_n_train_steps=4",
    "exp_manager.checkpoint_callback_params.save_top_k=2",
    "++exp_manager.checkpoint_callback_params.save_last=False",
]
# Where a rank was: in a collective, behind one, or before the first of its run.
PLACE = r"(?:waiting for \w+ #\d+ of|computing after|computing|before its first collective|waiting for)"


class Runs:
    def __init__(self, programs, case, steps, overrides):
        self.programs, self.case, self.steps, self.overrides = programs, case, steps, overrides

    def start(self, log_dir):
        command = self.programs.command(
            "nxdt-run", self.case / "config.yaml", f"exp_manager.explicit_log_dir={log_dir}", f"trainer.max_steps={self.steps}", *self.overrides
        )
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    def to_end(self, log_dir, resumes):
        process = self.start(log_dir)
        out, err = process.communicate(timeout=600)
        check(process.returncode == 0, f"exit status {process.returncode}\n{out[-2000:]}{err[-2000:]}")
        check(("continues" in out) == resumes, f"{'does not resume' if resumes else 'resumes'}:\n{out[:2000]}")


def ranks_of(process):
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def check_messages(err, victim, sent):
    """One message, the same from every rank that tells it, and the launcher's."""
    host = re.escape(socket.gethostname())
    told = {re.sub(r"^\[rank \d+\] ", "", line) for line in err.splitlines() if "error: " in line}
    where = rf"rank {victim} \({host}[^)]*\) .*(?:step \d+).*{PLACE}"
    from_ranks = [line for line in told if "all other ranks were ended" not in line]
    check(told, f"nobody says why the run ended:\n{err}")
    for line in told:
        check(re.search(where, line), f"not rank, host, step and collective: '{line}'\n{err}")
    check(len(from_ranks) <= 1, f"the ranks tell different things:\n{err}")
    how = "ended by signal 9" if sent == signal.SIGKILL else "no sign of life|was stopped"
    check(re.search(how, err), f"does not say '{how}':\n{err}")


def disturb(runs, log_dir, sent, rng, train_s):
    """Starts the run, ends a rank; what happened, or None where the run was faster."""
    before, process = lines(log_dir), runs.start(log_dir)
    while process.poll() is None and lines(log_dir) == before:
        time.sleep(0.001)
    delay = rng.uniform(0, train_s)
    time.sleep(delay)
    if process.poll() is not None:
        process.communicate()
        check(process.returncode == 0, f"exit status {process.returncode}")
        return None
    ranks, victim = ranks_of(process), rng.randrange(RANKS)
    if len(ranks) < RANKS:
        process.communicate(timeout=60)
        return None
    os.kill(ranks[victim], sent)
    began = time.monotonic()
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    took_s = time.monotonic() - began
    if process.returncode == 0:
        return None
    check(took_s <= 10, f"took {took_s:.1f} s to end:\n{out[-500:]}{err}")
    check(process.returncode in (1, 128 + signal.SIGKILL), f"exit status {process.returncode}:\n{err}")
    check_messages(err, victim, sent)
    check(not any(is_alive(rank) for rank in ranks), "a rank is left over")
    for checkpoint in checkpoints(log_dir) if (log_dir / "checkpoints").exists() else []:
        runs.programs.succeed("nxdt-ckpt", "verify", checkpoint)
    return f"{sent.name} of rank {victim}, {delay:.2f} s in, {lines(log_dir)} lines, ended after {took_s:.1f} s"


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--stops", type=int, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pipeline", action="store_true", help="two stages instead of two data-parallel ranks")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; default: another one each time")
    arguments = parser.parse_args()
    work = fresh(arguments.work.resolve())
    stages = ["distributed_strategy.pipeline_model_parallel_size=2", "data.micro_batch_size=1"] if arguments.pipeline else []
    runs = Runs(Programs(arguments.bin), arguments.case.resolve(), arguments.steps, [*OVERRIDES, *stages])
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)

    undisturbed, disturbed = work / "undisturbed", work / "disturbed"
    runs.to_end(undisturbed, resumes=False)
    expected, _ = read_metrics(undisturbed)
    events = [signal.SIGKILL] * arguments.kills + [signal.SIGSTOP] * arguments.stops
    rng.shuffle(events)
    # Equal parts of the training for all events, as far as one can tell.
    train_s = sum(line["step_time_s"] for line in expected) * 1.5 / (len(events) + 1)
    for _ in range(5 * len(events)):
        happened = disturb(runs, disturbed, events[-1], rng, train_s)
        if happened is None:
            # It ended before: start again, so that every event hits a run.
            fresh(disturbed)
            continue
        print(happened, flush=True)
        events.pop()
        if not events:
            break
    check(not events, f"{len(events)} events found no running process")
    runs.to_end(disturbed, resumes=len(checkpoints(disturbed)) > 0)

    steps, _ = read_metrics(disturbed)
    check([line["step"] for line in steps] == list(range(1, arguments.steps + 1)), f"metrics.jsonl has steps {[line['step'] for line in steps]}")
    for line, wanted in zip(steps, expected):
        for key in ("loss", "grad_norm", "lr", "consumed_samples"):
            check(line[key] == wanted[key], f"step {line['step']}: {key} is {line[key]!r}, undisturbed it is {wanted[key]!r}")
    left, right = (read_folder(export(runs.programs, folder, work / f"hf-{folder.name}")) for folder in (disturbed, undisturbed))
    check(left == right, "weights differ after resuming")
    print(f"{arguments.kills} kills, {arguments.stops} stops, {arguments.steps} steps: bitwise equal")


if __name__ == "__main__":
    main(test)
