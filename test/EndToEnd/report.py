#!/usr/bin/env python3
"""What nxdt-opt tells of a strategy: the report equals the closed formula to the byte, reasons lead to the YAML, a budget is kept."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from bill import Job, evaluation_bill, state_bytes, step_bill
from tools import Programs, check, fresh, main

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs/quickstart.yaml"
# Sizes that tp and dp divide, and ones that they do not; key/value heads for fewer ranks than tp has.
EVEN = Job(layers=2, hidden=64, intermediate=176, vocabulary=512, heads=8, kv_heads=4, head_dim=8, sequence=64, micro_batch=2, micro_batches=2)
ODD = replace(EVEN, layers=3, intermediate=91, vocabulary=509, kv_heads=2, micro_batch=1)


def jobs():
    for zero1 in (True, False):
        for tp, dp in ((1, 1), (2, 1), (4, 1), (1, 2), (1, 3), (2, 2), (4, 2), (8, 4)):
            yield replace(EVEN, tp=tp, dp=dp, zero1=zero1, kv_replicator=max(1, tp // 4))
            if tp > 1:
                yield replace(EVEN, tp=tp, dp=dp, zero1=zero1, sequence_parallel=True, kv_replicator=max(1, tp // 4), micro_batches=3)
        for tp, dp, sp in ((2, 3, True), (4, 2, True), (4, 3, False), (8, 64, True)):
            yield replace(ODD, tp=tp, dp=dp, zero1=zero1, sequence_parallel=sp, kv_replicator=max(1, tp // 2))
    yield replace(EVEN, tp=4, dp=2, sequence_parallel=True, mixed=True, micro_batches=5)
    yield replace(ODD, tp=2, dp=2, mixed=True)
    for recompute, mixed in (("selective", False), ("full", True)):
        yield replace(EVEN, tp=4, dp=2, sequence_parallel=True, mixed=mixed, recompute=recompute)
        yield replace(ODD, tp=2, dp=3, mixed=mixed, recompute=recompute)


def overrides(job, work):
    shape = json.loads((ROOT / "configs/models/tiny/config.json").read_text())
    shape |= {"num_hidden_layers": job.layers, "hidden_size": job.hidden, "intermediate_size": job.intermediate, "vocab_size": job.vocabulary}
    shape |= {"num_attention_heads": job.heads, "num_key_value_heads": job.kv_heads, "head_dim": job.head_dim}
    (work / "config.json").write_text(json.dumps(shape))
    return [
        f"model.model_config={work}/config.json", f"model.encoder_seq_length={job.sequence}", f"data.micro_batch_size={job.micro_batch}",
        f"data.global_batch_size={job.micro_batch * job.micro_batches * job.dp}", f"trainer.devices={job.tp * job.dp}",
        f"distributed_strategy.tensor_model_parallel_size={job.tp}", f"distributed_strategy.zero1={job.zero1}",
        f"distributed_strategy.sequence_parallel={job.sequence_parallel}", f"+distributed_strategy.kv_replicator={job.kv_replicator}",
        f"precision.type={'mixed_precision' if job.mixed else 'fp32'}", f"+model.activations_checkpoint_granularity={job.recompute}",
        *(["+model.activations_checkpoint_recompute=[CoreAttention]"] if job.recompute == "selective" else []),
    ]  # fmt: skip


def report(programs, job, work):
    return json.loads(programs.succeed("nxdt-opt", CONFIG, "--report=json", *overrides(job, work)).stdout)


def totals(section):
    return {(entry["group"], entry["kind"]): (entry["calls"], entry["input_bytes"], entry["sent_bytes"]) for entry in section["totals"]}


def same(what, job, found, expected):
    for key in sorted(found.keys() | expected.keys()):
        check(found.get(key) == expected.get(key), f"{what} of {job}: {key} is {found.get(key)}, the formula gives {expected.get(key)}")


def bill(programs, work):
    count = 0
    for job in jobs():
        told = report(programs, job, work)
        same("the step", job, totals(told["step"]), step_bill(job))
        same("the evaluation", job, totals(told["evaluation"]), evaluation_bill(job))
        same("memory", job, {key: told["memory"][key] for key in state_bytes(job)}, state_bytes(job))
        for section in ("step", "evaluation"):
            for key in ("input_bytes", "sent_bytes"):
                lines, sums = (sum(entry[key] for entry in told[section][name]) for name in ("collectives", "totals"))
                check(lines == sums == told[section][key], f"{section}: {key} add up to {lines} and {sums}, not {told[section][key]}")
        check(all(entry["reason"] and entry["causes"] for entry in told["step"]["collectives"]), f"{job}: a collective without reason or cause")
        count += 1
    print(f"{count} strategies agree with the closed formula")


def flops(programs, work):
    """Matrix products and attention are nearly all; ranks share them."""
    job = replace(EVEN, sequence=128, hidden=256, intermediate=704, head_dim=32)
    one = report(programs, job, work)["flops"]
    layer = job.hidden * (job.heads + 2 * job.kv_heads) * job.head_dim + job.heads * job.head_dim * job.hidden + 3 * job.hidden * job.intermediate
    weights = job.layers * layer + job.vocabulary * job.hidden
    pairs = job.sequence * (job.sequence + 1) // 2
    tokens = job.micro_batch * job.micro_batches * job.sequence
    attention = 4 * job.layers * job.micro_batch * job.micro_batches * job.heads * job.head_dim * pairs
    products = 2 * weights * tokens + attention
    check(products < one["forward"] < 1.05 * products, f"forward: {one['forward']}, the products alone {products}")
    back = 4 * weights * tokens + 2.5 * attention
    check(back < one["backward"] < 1.1 * back, f"backward: {one['backward']}, the products alone {back}")
    four = report(programs, replace(job, tp=4, sequence_parallel=True), work)["flops"]
    share = four["step"] / one["step"]
    check(0.25 <= share < 0.27, f"a rank of four does {share} of the work")
    recomputed = report(programs, replace(job, recompute="full"), work)
    again, kept = recomputed["flops"], recomputed["memory"]["without_recomputation"]
    plain = report(programs, job, work)["memory"]
    check("without_recomputation" not in plain, "nothing is computed again, and a report says what it would take if nothing were")
    check(kept == {key: plain[key] for key in kept}, f"without recomputation: {kept}, and a report without it says {plain}")
    check(recomputed["memory"]["peak_activation_bytes"] < kept["peak_activation_bytes"], f"nothing is saved: {recomputed['memory']}")
    check(one["recomputed"] == 0 and 0.7 * one["forward"] < again["recomputed"] < one["forward"], f"forward {one['forward']}, once more {again['recomputed']}")
    check(again["backward"] == one["backward"] and again["step"] == one["step"] + again["recomputed"], f"{again} is not {one} and the forward once more")
    check(four["step_of_all_ranks"] == 4 * four["step"] and four["run"] == 240 * 4 * four["step"], f"{four}")


def text(programs, work):
    """One to two screens, with the same numbers."""
    job = replace(EVEN, tp=2, dp=2, sequence_parallel=True)
    told = report(programs, job, work)
    lines = programs.succeed("nxdt-opt", CONFIG, "--report", *overrides(job, work)).stdout.splitlines()
    check(len(lines) <= 96, f"{len(lines)} lines")
    whole = "\n".join(lines)
    for piece in (
        "pp 1 x dp 2 x cp 1 x tp 2 = 4 ranks", f"{told['memory']['total_bytes']:,}", "at the peak, in train_step", "of model.layers.*.",
        "gradient of each parameter, once per step [dp, zero1]", "[tp, sequence_parallel]", "evaluation of one global batch",
        f"zero1             distributed_strategy.zero1 = {job.zero1} (command line: 'distributed_strategy.zero1=True')",
    ):  # fmt: skip
        check(piece in whole, f"'{piece}' is missing in\n{whole}")
    live = told["memory"]["peak"]["tensors"]
    check(sum(entry["bytes"] for entry in live) == told["memory"]["peak_activation_bytes"], "the live tensors do not add up to the peak")


# Two data-parallel ranks.
TWO = ("trainer.devices=2", "data.global_batch_size=16", "distributed_strategy.tensor_model_parallel_size=1", "distributed_strategy.sequence_parallel=False")


def explain(programs, work):
    job = replace(EVEN, tp=2, dp=2, sequence_parallel=True)

    def told(name):
        return programs.succeed("nxdt-opt", CONFIG, f"--explain={name}", *overrides(job, work)).stdout

    line = f"distributed_strategy.tensor_model_parallel_size = {job.tp} (command line: "
    for name, pieces in (
        ("model.layers.1.mlp.down_proj.weight", ("dimension 1 is split by tp: " + line, "row-parallel", "ZeRO-1: distributed_strategy.zero1 = True",
         "partial over dp: each rank adds up its own micro-batches", "finish_step: reduce_scatter over dp", "update_step: all_gather over dp")),
        ("model.norm.weight", ("whole on every rank", "partial over tp: each rank adds up what its part", "finish_step: all_reduce over tp")),
        ("model.norm.weight.exp_avg", ("on a rank [32]", "it belongs to\nmodel.norm.weight: param")),
        ("model.layers.0.mlp", ("model.layers.0.mlp.up_proj.weight: param", "all_gather over tp", "needs more of dimension 1", line)),
        ("model.layers.0.mlp^", ("at model.layers.0.mlp.down_proj^",)),
        ("input_ids", ("dimension 0 is split by dp: trainer.devices = 4",)),
        ("loss_sum", ("partial over dp", "finish_step: all_reduce over dp,tp")),
    ):  # fmt: skip
        for piece in pieces:
            check(piece in told(name), f"--explain={name}: '{piece}' is missing in\n{told(name)}")
    check("at model.layers.0.mlp.gate_proj\n" not in told("model.layers.0.mlp^"), "the backward alone was asked for")
    done = programs.run("nxdt-opt", CONFIG, "--explain=model.norm.wieght", *overrides(job, work))
    check(done.returncode == 1 and "the nearest are model.norm.weight," in done.stderr and done.stderr.count("\n") == 1, done.stderr)
    # A line of the file, where the file says it.
    file = programs.succeed("nxdt-opt", CONFIG, *TWO, "--explain=model.norm.weight").stdout
    number = next(i for i, text in enumerate(CONFIG.read_text().splitlines(), 1) if text.startswith("  zero1:"))
    check(f"distributed_strategy.zero1 = True ({CONFIG}:{number}:10)" in file, file)


def diff(programs, work):
    other = work / "other.yaml"
    other.write_text(CONFIG.read_text().replace("zero1: True", "zero1: False").replace("models/", f"{ROOT}/configs/models/"))
    done = programs.succeed("nxdt-opt", CONFIG, "--diff", other, *TWO)
    plain = [json.loads(programs.succeed("nxdt-opt", path, "--report=json", *TWO).stdout) for path in (CONFIG, other)]
    told = {" ".join(line.split()[:-3]): line.split() for line in done.stdout.splitlines()}
    row = next(line for line in done.stdout.splitlines() if "distributed_strategy.zero1" in line)
    check(row.split()[1:] == ["True", "False"], row)
    check(sum("distributed_strategy." in line for line in done.stdout.splitlines()) == 1, f"more differs than zero1:\n{done.stdout}")
    calls = {entry["kind"]: entry["calls"] for entry in plain[0]["step"]["totals"]}
    check("dp reduce_scatter" in done.stdout and f"{calls['reduce_scatter']} " in done.stdout and "optimizer state" in done.stdout, done.stdout)
    check(plain[0]["memory"]["opt_state_bytes"] * 2 == plain[1]["memory"]["opt_state_bytes"], "ZeRO-1 halves the optimizer state")
    check(told, "no rows")
    again = programs.succeed("nxdt-opt", CONFIG, "--diff", CONFIG)
    check("what they differ in\n  nothing\n" in again.stdout, again.stdout)


def budget(programs, work):
    key = "+distributed_strategy.budget_bytes"
    base = [CONFIG, f"exp_manager.explicit_log_dir={work}/log"]
    total = json.loads(programs.succeed("nxdt-opt", CONFIG, "--report=json").stdout)["memory"]["total_bytes"]
    programs.succeed("nxdt-opt", *base, f"{key}={total}", "--emit=plan", "-o", work / "plan")
    for tool, arguments in (("nxdt-opt", ["--emit=plan", "-o", work / "refused"]), ("nxdt-run", [])):
        done = programs.run(tool, *base, f"{key}={total - 1}", *arguments)
        check(done.returncode == 1, f"{tool} takes what exceeds the budget: {done.returncode}")
        for piece in (f"distributed_strategy.budget_bytes = {total - 1}: a rank needs ", f"= {total:,} bytes", "1 B more than", "largest categories: ", "largest tensors at the peak, in train_step"):
            check(piece in done.stderr, f"{tool}: '{piece}' is missing in\n{done.stderr}")
        check(sum(line.startswith("    ") for line in done.stderr.splitlines()) == 5, f"not five tensors:\n{done.stderr}")
    check(not (work / "refused").exists(), "a plan was written all the same")
    done = programs.run("nxdt-opt", *base, f"{key}=1KiB", "--report")
    check(done.returncode == 1 and "memory of a rank" in done.stdout and "budget_bytes = '1KiB': a rank needs" in done.stderr, done.stderr)
    programs.succeed("nxdt-opt", *base, f"{key}=64GiB", "--report")
    for value in ("16 gigs", "1.5.5GiB", "0B", "-1", "0", "1e300PiB"):
        done = programs.run("nxdt-opt", *base, f"{key}='{value}'" if value[-1].isalpha() else f"{key}={value}")
        check(done.returncode == 1 and "budget_bytes" in done.stderr and "must be" in done.stderr, f"{value}: {done.stderr}")
    file = work / "budget.yaml"
    file.write_text(CONFIG.read_text().replace("models/", f"{ROOT}/configs/models/").replace("  zero1: True", "  zero1: True\n  budget_bytes: 1MiB"))
    number = next(i for i, text in enumerate(file.read_text().splitlines(), 1) if "budget_bytes" in text)
    done = programs.run("nxdt-opt", file)
    check(done.returncode == 1 and f"error: {file}:{number}:17: distributed_strategy.budget_bytes = '1MiB'" in done.stderr, done.stderr)


def buckets(programs):
    """Fewer messages the larger they may be, and never another byte."""
    key, strategy = "bucket_size_collectives", ["trainer.devices=2", "data.micro_batch_size=4", "distributed_strategy.tensor_model_parallel_size=1", "distributed_strategy.sequence_parallel=False"]

    def moved(*overrides):
        told = json.loads(programs.succeed("nxdt-opt", CONFIG, "--report=json", *strategy, *overrides).stdout)["step"]["totals"]
        return {entry["kind"]: (entry["calls"], entry["input_bytes"]) for entry in told if entry["group"] == "dp"}

    alone, small, default, large = (moved(*overrides) for overrides in ([f"+{key}=0"], [f"+{key}=1"], [], [f"+{key}={2**62}"]))
    for kind in ("reduce_scatter", "all_gather"):
        check(alone[kind][0] > small[kind][0] > default[kind][0] == large[kind][0] == 1, f"{kind}: {[found[kind] for found in (alone, small, default, large)]}")
        check(len({found[kind][1] for found in (alone, small, default, large)}) == 1, f"{kind}: bytes depend on buckets")
        # Two that follow each other would not fit together.
        check(small[kind][0] >= small[kind][1] / 2**20, f"{kind}: {small[kind]} in buckets of 1 MiB")
    for value in ("-1", "abc"):
        done = programs.run("nxdt-opt", CONFIG, f"+{key}={value}")
        check(done.returncode == 1 and f"{key} = " in done.stderr and done.stderr.count("error:") == 1, f"{value}: {done.stderr}")


def options(programs):
    for arguments, piece in (
        (["--report=html"], "known are text, json"),
        (["--report", "--explain=lm_head"], "exclude each other"),
        (["--diff", ROOT / "none.yaml"], "none.yaml"),
    ):
        done = programs.run("nxdt-opt", CONFIG, *arguments)
        check(done.returncode == 1 and piece in done.stderr and done.stderr.count("\n") == 1, f"{arguments}: {done.stderr}")


def times(programs, work):
    """Only with a cluster; twice as fast in all is twice as fast; the parts make the whole."""
    plain = programs.succeed("nxdt-opt", CONFIG, "--report").stdout
    check("not given without --cluster FILE" in plain, f"times without a cluster:\n{plain}")
    check("time" not in json.loads(programs.succeed("nxdt-opt", CONFIG, "--report=json").stdout), "times in JSON without a cluster")
    steps = []
    for factor in (1, 2):
        link = f"{{latency_s: {1e-5 / factor:.2e}, bytes_per_s: {1e9 * factor:.2e}}}"
        (work / "cluster.yaml").write_text(
            f"ranks_per_node: 8\ndevices:\n  - f32_flops_per_s: {1e11 * factor:.2e}\n    bf16_flops_per_s: {1e11 * factor:.2e}\n    efficiency: 0.5\n"
            f"    memory_bytes_per_s: {1e10 * factor:.2e}\n    overhead_s: {1e-6 / factor:.2e}\nintra_node: {link}\ninter_node: {link}\n"
        )
        for overrides in ([], ["distributed_strategy.tensor_model_parallel_size=1", "distributed_strategy.pipeline_model_parallel_size=2", "data.micro_batch_size=2"]):
            time = json.loads(programs.succeed("nxdt-opt", CONFIG, "--report=json", "--cluster", work / "cluster.yaml", *overrides).stdout)["time"]
            check(abs(sum(time["phases_s"].values()) - time["step_s"]) < 1e-9, f"the phases are not the step: {time}")
            for stage in time["stages"]:
                check(abs(sum(stage.values()) - time["step_s"]) < 1e-9 and min(stage.values()) > -1e-12, f"a stage's parts are not the step: {time}")
            check((time["bubble"] > 0.05) == (len(time["stages"]) == 2), f"the bubble: {time}")
            steps.append(time["step_s"])
    for slow, fast in ((0, 2), (1, 3)):
        check(abs(steps[slow] / steps[fast] - 2) < 1e-6, f"not twice as fast: {steps}")
    shown = programs.succeed("nxdt-opt", CONFIG, "--report", "--cluster", work / "cluster.yaml").stdout
    check("tokens per second" in shown and "waits for collectives" in shown, f"no times:\n{shown}")
    both = programs.succeed("nxdt-opt", CONFIG, "--diff", CONFIG, "--cluster", work / "cluster.yaml").stdout
    check("time of an optimizer step" in both, f"no times:\n{both}")
    for arguments, piece in (
        (["--report", "--cluster", work / "none.yaml"], "none.yaml"),
        (["--cluster", work / "cluster.yaml"], "--cluster needs --report"),
    ):
        done = programs.run("nxdt-opt", CONFIG, *arguments)
        check(done.returncode == 1 and piece in done.stderr and done.stderr.count("\n") == 1, f"{arguments}: {done.stderr}")


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    options(programs)
    buckets(programs)
    bill(programs, work)
    flops(programs, work)
    text(programs, work)
    explain(programs, work)
    diff(programs, work)
    budget(programs, work)
    times(programs, work)


if __name__ == "__main__":
    main(test)
