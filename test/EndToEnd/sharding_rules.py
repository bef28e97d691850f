#!/usr/bin/env python3
"""A user's own module, split over ranks by distributed_strategy.sharding_rules, trains as on one; wrong rules are errors with their place."""

import argparse
import json
import re
from pathlib import Path

from tools import Programs, check, fresh, main, read_metrics

# A column- and a row-parallel pair, a row-parallel layer alone, and tables over the vocabulary.
RULES = {
    "*.up.weight": "[tp, null]", "*.up.bias": "[tp]", "*.down.weight": "[null, tp]", "*.out.weight": "[null, tp]",
    "tokens.weight": "[tp, null]", "head.weight": "[[tp], null]",
}  # fmt: skip
# The gradient of the keys' biases is all but zero, and AdamW scales its rounding up: runs drift apart step by step.
STEPS = 12
# Tokens split over three ranks, which 32 do not divide by: the padding of activations and of targets must not count.
TOKENS = {"positions": "[tp, null]"}
RELATIVE = {"loss": 2e-6, "grad_norm": 1e-4}
WRONG = [
    ({"*.upp.weight": "[tp, null]"}, "'*.upp.weight' ({at}:5) matches no parameter; the nearest name is 'block0.up.weight'"),
    ({"*.up.weight": "[tpp, null]"}, "'*.up.weight' ({at}:5): the mesh has no axis 'tpp'; it has pp, dp, cp, tp"),
    ({"*.up.weight": "[tp]"}, "'*.up.weight' ({at}:5) has 1 dimensions, the parameter 'block0.up.weight' 2"),
    ({"*.up.weight": "tp"}, "{at}:20: distributed_strategy.sharding_rules: 'tp': must be a list with one entry per dimension"),
    ({"*.up.weight": "[3, null]"}, "{at}:21: distributed_strategy.sharding_rules: 3: must be the name of a mesh axis: tp, dp, cp"),
]


def write(path, config, rules):
    """The configuration with rules; returns the place of the first one."""
    head, tail = config.split("distributed_strategy:\n")
    lines = "".join(f'    "{pattern}": {dims}\n' for pattern, dims in rules.items())
    path.write_text(f"{head}distributed_strategy:\n  sharding_rules:\n{lines}{tail}")
    return f"{path}:{head.count(chr(10)) + 3}"


def equal(programs, work, config, overrides):
    metrics = {}
    for tp, rules in ((1, RULES), (2, RULES), (3, TOKENS)):
        log = work / f"tp-{tp}"
        write(work / "rules.yaml", config, rules)
        ranks = [f"trainer.devices={tp}", f"distributed_strategy.tensor_model_parallel_size={tp}", f"exp_manager.explicit_log_dir={log}"]
        programs.succeed("nxdt-run", work / "rules.yaml", *overrides, *ranks, f"trainer.max_steps={STEPS}", "trainer.log_every_n_steps=1")
        metrics[tp] = read_metrics(log)[0]
    for tp, steps in metrics.items():
        check(len(steps) == STEPS, f"tp {tp}: {len(steps)} steps, {STEPS} were asked for")
        largest = {key: max(abs(one[key] - more[key]) / one[key] for one, more in zip(metrics[1], steps, strict=True)) for key in RELATIVE}
        check(all(largest[key] <= RELATIVE[key] for key in RELATIVE), f"tp {tp} is apart from one rank by {largest}, allowed are {RELATIVE}")
        print(f"tp {tp} equals one rank: {largest}")
    plan = json.loads((work / "tp-2" / "plan" / "plan.json").read_text())
    held = {buffer["name"]: (buffer["shape"], buffer["logical_shape"]) for buffer in plan["buffers"] if buffer["role"] == "param"}
    for name, dim in (("block1.up.weight", 0), ("block1.up.bias", 0), ("block1.down.weight", 1), ("block1.out.weight", 1), ("tokens.weight", 0), ("head.weight", 0)):
        shape, whole = held[name]
        check(2 * shape[dim] == whole[dim], f"a rank holds {shape} of {name}, {whole}")
    shape, whole = held["block1.qkv.weight"]
    check(shape == whole, f"a rank holds {shape} of block1.qkv.weight, {whole}, of which no rule speaks")


def refused(programs, work, config, overrides):
    for rules, text in WRONG:
        at = write(work / "wrong.yaml", config, rules)
        ranks = ["trainer.devices=2", "distributed_strategy.tensor_model_parallel_size=2"]
        done = programs.run("nxdt-opt", work / "wrong.yaml", *overrides, *ranks, "--emit=sharded", "-o", work / "sharded")
        errors = [line for line in done.stderr.splitlines() if not line.startswith(("note: ", "remark: "))]
        check(done.returncode == 1 and len(errors) == 1 and text.format(at=at) in errors[0], f"expected '{text.format(at=at)}', got {done.returncode}:\n{done.stderr}")
    print(f"{len(WRONG)} wrong rules are refused with their place")


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
    overrides = [f"data.train_dir={case / 'train'}", f"model.plugin={arguments.plugin.resolve()}", f"model.encoder_seq_length={sequence}"]
    config = arguments.config.read_text()
    refused(programs, work, config, overrides)
    equal(programs, work, config, overrides)


if __name__ == "__main__":
    main(test)
