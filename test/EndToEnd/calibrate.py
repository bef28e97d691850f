#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A calibrated host is a cluster that nxdt-opt reads, with an entry for each number of ranks at work."""

import argparse
import json
from pathlib import Path

from tools import Programs, check, fresh, main


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())
    host = work / "host.yaml"
    programs.succeed("nxdt-run", f"--calibrate={host}", timeout=120)
    lines = host.read_text().splitlines()
    ranks = int(next(line for line in lines if line.startswith("ranks_per_node: ")).split()[1])
    active = [int(line.split()[-1]) for line in lines if line.startswith("  - ranks_per_node: ")]
    expected = sorted({min(2**i, ranks) for i in range(8)})
    check(active == expected, f"entries for {active} ranks, not {expected}")
    for overrides in (["trainer.devices=1"], ["trainer.devices=2", "distributed_strategy.tensor_model_parallel_size=2"]):
        time = json.loads(programs.succeed("nxdt-opt", case / "config.yaml", "--report=json", "--cluster", host, *overrides).stdout)["time"]
        # From a tenth of a millisecond to a minute: no unit is off by a thousand.
        check(1e-4 < time["step_s"] < 60, f"a step takes {time['step_s']} s")
        check((time["stages"][0]["collectives_s"] > 0) == (len(overrides) == 2), f"{overrides}: {time}")
    for extra, text in (
        ([case / "config.yaml"], "--calibrate measures this host: it goes with nothing else"),
        (["trainer.devices=2"], "--calibrate measures this host: it goes with nothing else"),
    ):
        done = programs.run("nxdt-run", f"--calibrate={host}", *extra)
        check(done.returncode == 1 and text in done.stderr, f"{extra}: {done.stderr}")


if __name__ == "__main__":
    main(test)
