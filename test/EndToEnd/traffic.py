#!/usr/bin/env python3
"""Trains on several processes and compares what their groups have counted with what nxdt-opt has predicted, to the byte."""

import argparse
import json
from pathlib import Path

from tools import Programs, check, fresh, main

STRATEGIES = [
    {"tensor_model_parallel_size": 2, "sequence_parallel": True},
    {"zero1": False},
    {"tensor_model_parallel_size": 4, "+kv_replicator": 2, "sequence_parallel": True},
    {"pipeline_model_parallel_size": 2, "tensor_model_parallel_size": 2},
]


def tables(stdout):
    """Of each stage {(group, kind): (calls, input predicted, measured, sent predicted, measured)}, as told at the end."""
    parts = stdout.split("bytes per step and rank")[1:]
    check(parts, f"no table:\n{stdout}")
    found = []
    for part in parts:
        table = {}
        for line in part.splitlines()[1:]:
            if not line.startswith("  "):
                break
            *name, calls, input_predicted, input_measured, sent_predicted, sent_measured = line.split()
            table[tuple(name)] = tuple(int(number.replace(",", "")) for number in (calls, input_predicted, input_measured, sent_predicted, sent_measured))
        found.append(table)
    return found


def compare_all(report, found):
    """A report of nxdt-opt with the tables of a run, stage by stage."""
    stages = report.get("stages", [report])
    check(len(stages) == len(found), f"{len(found)} tables are printed, of {len(stages)} stages")
    for stage, table in zip(stages, found, strict=True):
        compare(stage["step"], table, stage.get("channels", []))


def compare(told, found, channels=()):
    found, total, sends = dict(found), told["input_bytes"], {}
    for channel in channels:
        if channel["sends"]:
            calls, size = sends.get(channel["peer"], (0, 0))
            sends[channel["peer"]] = (calls + channel["calls"], size + channel["bytes"])
    for peer, (calls, size) in sends.items():
        measured = found.pop(("send", "to", "stage", str(peer)), None)
        check(measured == (calls, size, size, size, size), f"stage {peer} is sent {size} bytes in {calls} messages, the run says {measured}")
        total += size
    expected = {(entry["group"], entry["kind"]): entry for entry in told["totals"]}
    check(found.keys() == expected.keys() | {("total",)}, f"{sorted(found)} is measured, {sorted(expected)} predicted")
    for key, entry in expected.items():
        calls, input_predicted, input_measured, sent_predicted, sent_measured = found[key]
        check((calls, input_predicted, sent_predicted) == (entry["calls"], entry["input_bytes"], entry["sent_bytes"]), f"{key}: {found[key]} is not {entry}")
        check(input_measured == input_predicted, f"{key}: {input_measured} bytes go in, {input_predicted} are predicted")
        # Larger groups send more for small all_reduces, in fewer rounds.
        exact = entry["ranks"] == 2 or entry["kind"] != "all_reduce"
        check(sent_measured == sent_predicted if exact else sent_measured >= sent_predicted, f"{key}: {sent_measured} bytes are sent, {sent_predicted} are predicted")
    check(found["total",][1] == found["total",][2] == total, f"the total is {found['total',]}, predicted {total}")


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work, config = Programs(arguments.bin), fresh(arguments.work.resolve()), arguments.case.resolve() / "config.yaml"
    for number, strategy in enumerate(STRATEGIES):
        keys = [f"{'+' if key[0] == '+' else ''}distributed_strategy.{key.lstrip('+')}={value}" for key, value in strategy.items()]
        keys += ["trainer.devices=4", "trainer.max_steps=3", f"exp_manager.explicit_log_dir={work}/log-{number}", "exp_manager.create_checkpoint_callback=False"]
        told = json.loads(programs.succeed("nxdt-opt", config, "--report=json", *keys).stdout)
        done = programs.succeed("nxdt-run", config, *keys)
        compare_all(told, tables(done.stdout))
        print(f"{strategy}: {told['step']['input_bytes']} bytes per step and rank, as predicted")
    done = programs.succeed("nxdt-run", config, "trainer.max_steps=1", f"exp_manager.explicit_log_dir={work}/log-one", "exp_manager.create_checkpoint_callback=False")
    check("bytes per step" not in done.stdout, "one rank moves nothing")


if __name__ == "__main__":
    main(test)
