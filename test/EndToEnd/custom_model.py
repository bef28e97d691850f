#!/usr/bin/env python3
"""A user's own module trains from its YAML: the loss falls, in fp32 and mixed precision, and only its unknown operator needs autograd."""

import argparse
import json
import re
from pathlib import Path

from tools import Programs, check, fresh, main, read_metrics


def fallbacks(folder):
    """Operators of train_step that the plan leaves to libtorch's autograd."""
    plan = json.loads((folder / "plan.json").read_text())
    program = next(p for p in plan["programs"] if p["name"] == "train_step")
    return [i["op"] for i in program["instructions"] if i["kind"] == "aten_vjp"]


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--plugin", type=Path, required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())
    sequence = re.search(r"encoder_seq_length: (\d+)", (case / "config.yaml").read_text()).group(1)

    for precision in ("fp32", "mixed_precision"):
        log = work / precision
        programs.succeed(
            "nxdt-run", arguments.config, f"exp_manager.explicit_log_dir={log}", f"data.train_dir={case / 'train'}",
            f"model.plugin={arguments.plugin.resolve()}", f"model.encoder_seq_length={sequence}", f"precision.type={precision}",
            "trainer.log_every_n_steps=1")
        steps, _ = read_metrics(log)
        check(len(steps) == 40, f"{precision}: {len(steps)} steps, 40 were asked for")
        first, last = steps[0]["loss"], steps[-1]["loss"]
        check(last < first - 0.5, f"{precision}: the loss went from {first} to {last}")
        ops = fallbacks(log / "plan")
        check(ops and all(not op.startswith("aten::") for op in ops), f"{precision}: left to autograd are {ops}")
        print(f"{precision}: loss {first:.4f} -> {last:.4f}; left to autograd: {sorted(set(ops))}")

    programs.succeed("nxdt-opt", case / "config.yaml", f"exp_manager.explicit_log_dir={work / 'llama'}", "--emit=plan", "-o", work / "llama")
    ops = fallbacks(work / "llama")
    check(not ops, f"Llama's plan leaves to autograd {ops}")


if __name__ == "__main__":
    main(test)
