#!/usr/bin/env python3
"""Proves one reference run: trains it with nxdt-run, exports it with nxdt-ckpt, compares every step and every weight."""

import argparse
import json
from pathlib import Path

from compare import compare_model_config, compare_steps, compare_weights
from tools import Programs, export, fresh, main, read_folder, read_metrics, read_safetensors


def prove(programs, case, work, overrides=()):
    """The largest distances: ({loss, grad_norm, lr: relative}, weight, number of weights beyond 1e-5). What the run printed stays in `work`/printed."""
    work = fresh(work)
    done = programs.succeed("nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={work}/log", *overrides, cwd=work)
    (work / "printed").write_text(done.stdout)
    out = export(programs, work / "log", work / "hf")
    expected = json.loads((case / "expected.json").read_text())
    steps, _ = read_metrics(work / "log")
    apart = compare_steps(steps, expected["steps"], expected["run"]["gbs"])
    largest, beyond = compare_weights(read_folder(out), read_safetensors(case / "final.safetensors"))
    compare_model_config(out / "config.json", case / "hf" / "config.json")
    return apart, largest, beyond


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    apart, largest, beyond = prove(Programs(arguments.bin), arguments.case.resolve(), arguments.work.resolve(), arguments.overrides)
    print(
        f"{arguments.case.name}: apart by at most loss {apart['loss']:.1e}, grad_norm {apart['grad_norm']:.1e}, lr {apart['lr']:.1e} "
        f"(relative), weights {largest:.1e}, {beyond} beyond 1e-5"
    )


if __name__ == "__main__":
    main(test)
