#!/usr/bin/env python3
"""Kills a run at random moments (SIGKILL), resumes it each time, and wants the bits of a run that nobody disturbed.

Equal must be: the exported weights, every loss, norm and rate, and that metrics.jsonl has every step once, in order.
"""

import argparse
import random
import signal
import subprocess
import time
from pathlib import Path

from tools import Programs, check, checkpoints, export, fresh, main, read_folder, read_metrics


def command(programs, case, log_dir, steps):
    return programs.command(
        "nxdt-run", case / "config.yaml",
        f"exp_manager.explicit_log_dir={log_dir}",
        f"trainer.max_steps={steps}",
        "++exp_manager.resume_if_exists=True",
        "++exp_manager.resume_ignore_no_checkpoint=True",
        "exp_manager.checkpoint_callback_params.every_n_train_steps=7",
        "exp_manager.checkpoint_callback_params.save_top_k=2",
        "++exp_manager.checkpoint_callback_params.save_last=False",
    )  # fmt: skip


def run_to_end(arguments, log):
    with open(log, "a") as out:
        done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=300)
    check(done.returncode == 0, f"nxdt-run: exit status {done.returncode}\n{Path(log).read_text()[-4000:]}")


def lines(log_dir):
    metrics = log_dir / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def kill_at_random(arguments, log_dir, log, rng, start_s, train_s):
    """Starts a run, kills it; returns what happened, or None where the run was faster."""
    early = rng.random() < 0.2
    before = lines(log_dir)
    with open(log, "a") as out:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    if early:
        delay = rng.uniform(0, start_s)
    else:
        # Resuming may cut lines off, so any change says that training has begun.
        while process.poll() is None and lines(log_dir) == before:
            time.sleep(0.001)
        delay = rng.uniform(0, train_s)
    time.sleep(delay)
    if process.poll() is not None:
        check(process.returncode == 0, f"nxdt-run: exit status {process.returncode}\n{Path(log).read_text()[-4000:]}")
        return None
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = checkpoints(log_dir)
    return f"{'starting' if early else 'training'}, {delay:.3f} s in, {lines(log_dir)} lines, last checkpoint {found[-1].name if found else 'none'}"


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; default: another one each time")
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    seed = random.SystemRandom().randrange(1 << 32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)

    undisturbed, disturbed, log = work / "undisturbed", work / "disturbed", work / "output.txt"
    began = time.monotonic()
    run_to_end(command(programs, arguments.case, undisturbed, arguments.steps), log)
    whole_s = time.monotonic() - began
    expected, _ = read_metrics(undisturbed)
    check(len(expected) == arguments.steps, f"{len(expected)} steps were logged, {arguments.steps} were asked for")
    # What is neither starting nor ending, in equal parts for all kills.
    train_s = min(sum(line["step_time_s"] for line in expected), whole_s)
    start_s = whole_s - train_s

    kills = 0
    for _ in range(5 * arguments.kills):
        happened = kill_at_random(command(programs, arguments.case, disturbed, arguments.steps), disturbed, log, rng, start_s, 1.5 * train_s / (arguments.kills + 1))
        if happened is None:
            # It ended before the kill: start again, so that every kill is one.
            fresh(disturbed)
            continue
        kills += 1
        print(f"kill {kills}: {happened}", flush=True)
        if kills == arguments.kills:
            break
    check(kills == arguments.kills, f"only {kills} of {arguments.kills} kills hit a running process")
    run_to_end(command(programs, arguments.case, disturbed, arguments.steps), log)

    steps, _ = read_metrics(disturbed)
    check([line["step"] for line in steps] == list(range(1, arguments.steps + 1)), f"metrics.jsonl has steps {[line['step'] for line in steps]}")
    for line, wanted in zip(steps, expected):
        for key in ("loss", "grad_norm", "lr", "consumed_samples"):
            check(line[key] == wanted[key], f"step {line['step']}: {key} is {line[key]!r}, undisturbed it is {wanted[key]!r}")
    left, right = (read_folder(export(programs, folder, work / f"hf-{folder.name}")) for folder in (disturbed, undisturbed))
    check(left.keys() == right.keys(), "the exported folders have different tensors")
    for name in left:
        check(left[name] == right[name], f"{name} differs after resuming")
    names = [[path.name for path in checkpoints(folder)] for folder in (disturbed, undisturbed)]
    check(names[0] == names[1], f"checkpoints are {names[0]}, undisturbed they are {names[1]}")
    leftover = [path.name for path in (disturbed / "checkpoints").iterdir() if not (path / "done").exists()]
    check(not leftover, f"unfinished checkpoints were left behind: {leftover}")
    print(f"{kills} kills, {arguments.steps} steps: bitwise equal")


if __name__ == "__main__":
    main(test)
