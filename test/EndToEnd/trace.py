#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measured timeline of a step beside the predicted one: the same processes, threads and events, with the same bytes."""

import argparse
import json
from collections import Counter
from pathlib import Path

from tools import Programs, check, fresh, main

TP = "distributed_strategy.tensor_model_parallel_size"
PP = "distributed_strategy.pipeline_model_parallel_size"
STRATEGIES = {
    "one": ["trainer.devices=1"],
    "tp": ["trainer.devices=2", f"{TP}=2", "distributed_strategy.sequence_parallel=True"],
    "dp": ["trainer.devices=2"],
    "pp": ["trainer.devices=2", f"{PP}=2"],
}
COMPARED = ("run", "collective", "transfer")


def events(path):
    trace = json.loads(path.read_text())["traceEvents"]
    names = {(e["pid"], e["tid"] if e["name"] == "thread_name" else -1): e["args"]["name"] for e in trace if e["ph"] == "M" and "name" in e["args"]}
    spans = [(names[e["pid"], -1], names[e["pid"], e["tid"]], e) for e in trace if e["ph"] == "X"]
    return spans, [e for e in trace if e["name"] == "process_labels"]


def counted(spans):
    """What happens, without when; bytes of messages are not in the prediction."""
    return Counter(
        (process, thread, e["cat"], e["name"], e["args"].get("bytes") if e["cat"] == "collective" else None, e["args"].get("micro_batch"), e["args"].get("module"))
        for process, thread, e in spans
        if e["cat"] in COMPARED
    )


def compare(programs, case, work, name, overrides):
    common = [case / "config.yaml", f"exp_manager.explicit_log_dir={work / name}", "trainer.max_steps=4", *overrides]
    predicted, measured = work / f"{name}-predicted.json", work / f"{name}.json"
    programs.succeed("nxdt-opt", *common, "--trace", predicted)
    programs.succeed("nxdt-run", *common, "exp_manager.create_checkpoint_callback=False", f"--trace={measured}")
    expected, labels = events(predicted)
    check(all(label["args"]["labels"] == "predicted" for label in labels), f"labels of {predicted}: {labels}")
    found, labels = events(measured)
    check(all(label["args"]["labels"] == "measured" for label in labels), f"labels of {measured}: {labels}")
    ranks = int(overrides[0].split("=")[1])
    check(len(labels) == ranks, f"{len(labels)} processes of {ranks} ranks")
    # The prediction has a stage's first rank.
    stages = {process for process, _, _ in expected}
    a, b = counted(expected), counted(span for span in found if span[0] in stages)
    check(a == b, f"{name}: predicted only: {a - b}\nmeasured only: {b - a}")
    check(name == "one" or any(e["cat"] in ("collective", "transfer") for _, _, e in found), f"{name}: nothing moves")
    for process, thread, e in found:
        check(e["ts"] >= 0 and e["dur"] >= 0, f"{name}: {process} {thread} {e}")
    # On one host all ranks' clocks are the same: a collective ends on all of them at about the same time, within the step.
    runs = [e for _, _, e in found if e["cat"] == "run"]
    begin, end = min(e["ts"] for e in runs), max(e["ts"] + e["dur"] for e in runs)
    # A receive may begin before anyone has begun to compute, a collective of the end may end last.
    check(all(e["ts"] <= end + 1 and e["ts"] + e["dur"] >= begin - 1 for _, _, e in found if e["cat"] != "input"), f"{name}: events outside of the step")
    print(f"{name}: {sum(b.values())} events")


def refused(programs, case, work):
    for arguments, text in (
        (["--trace-step=2"], "--trace-step belongs to --trace"),
        (["--trace=x.json", "--trace-step=0"], "--trace-step takes a number from 1 up, not '0'"),
        (["--trace=x.json", "--simulate"], "--trace records training"),
        ([f"--trace={work}/no-such-folder/x.json", "trainer.devices=1"], "--trace: cannot write"),
    ):
        done = programs.run("nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={work / 'refused'}", *arguments)
        check(done.returncode == 1 and text in done.stderr, f"{arguments}: exit status {done.returncode}, no '{text}' in\n{done.stderr}")


def run():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    for name, overrides in STRATEGIES.items():
        compare(programs, arguments.case.resolve(), work, name, overrides)
    refused(programs, arguments.case.resolve(), work)


if __name__ == "__main__":
    main(run)
