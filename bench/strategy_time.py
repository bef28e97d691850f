#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Predicted and measured seconds of an optimizer step of strategies and models, on two cores of this host.

    python3 bench/strategy_time.py --config CONFIG.yaml [--bin build/bin] [--cluster FILE] [--steps 20] [--rounds 3] [--out bench/results/strategy_time.md]

Without --cluster the host is calibrated first. Each strategy runs --rounds times, with its part of the steps and all other strategies in between, so that what else the machine does falls on all of them; the first two steps of a run do not count. Exit status 1 if the rank correlation is below 0.9, or the predicted best takes over 5 % longer than the measured best of the same work.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 2
WANTED_CORRELATION, WANTED_LOSS = 0.9, 0.05
D = "distributed_strategy."
#   name, model: (hidden, intermediate, layers, heads, key-value heads), ranks, overrides
SMALL, LARGE = (256, 704, 4, 8, 4), (512, 1408, 4, 8, 4)
TP, PP = f"{D}tensor_model_parallel_size=2", f"{D}pipeline_model_parallel_size=2"
FULL = "++model.activations_checkpoint_granularity=full"
STRATEGIES = [
    ("1 rank", SMALL, 1, []),
    ("1 rank, recomputation", SMALL, 1, [FULL]),
    ("tp 2", SMALL, 2, [TP]),
    ("tp 2, sequence parallel", SMALL, 2, [TP, f"{D}sequence_parallel=True"]),
    ("dp 2", SMALL, 2, [f"{D}zero1=False"]),
    ("dp 2, zero1", SMALL, 2, []),
    ("pp 2", SMALL, 2, [PP]),
    ("1 rank", LARGE, 1, []),
    ("1 rank, micro-batches of 2", LARGE, 1, ["data.micro_batch_size=2"]),
    ("1 rank, recomputation", LARGE, 1, [FULL]),
    ("tp 2", LARGE, 2, [TP]),
    ("tp 2, sequence parallel", LARGE, 2, [TP, f"{D}sequence_parallel=True"]),
    ("dp 2", LARGE, 2, [f"{D}zero1=False"]),
    ("dp 2, zero1", LARGE, 2, []),
    ("pp 2", LARGE, 2, [PP]),
    ("pp 2, recomputation", LARGE, 2, [PP, FULL]),
]


def overrides(model, ranks, keys, folder):
    hidden, intermediate, layers, heads, kv_heads = model
    path = folder / f"model-{hidden}.json"
    path.write_text(
        json.dumps(
            {
                "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": 512, "hidden_size": hidden,
                "intermediate_size": intermediate, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
                "max_position_embeddings": 1024, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False, "initializer_range": 0.02,
            }
        )
    )
    return [
        f"++model.model_config={path}", "++model.max_position_embeddings=1024", f"trainer.devices={ranks}", "data.global_batch_size=8", "data.micro_batch_size=1", "++trainer.log_every_n_steps=1", "++trainer.limit_val_batches=0",
        "++trainer.num_sanity_val_steps=0", "exp_manager.create_checkpoint_callback=False", "++exp_manager.resume_from_checkpoint=null", *keys,
    ]


def succeed(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def ranked(values):
    """1 for the smallest; equal ones share the mean."""
    return [1 + sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values]


def spearman(a, b):
    return statistics.correlation(ranked(a), ranked(b))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--bin", type=Path, default=ROOT / "build/bin")
    parser.add_argument("--cluster", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="a further override for all")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = arguments.cluster or folder / "host.yaml"
        if not arguments.cluster:
            succeed([arguments.bin / "nxdt-run", f"--calibrate={cluster}"])
        text = cluster.read_text()
        predicted, measured = [], [[] for _ in STRATEGIES]
        for _, model, ranks, keys in STRATEGIES:
            report = succeed([arguments.bin / "nxdt-opt", arguments.config, "--report=json", "--cluster", cluster, *overrides(model, ranks, keys, folder), *arguments.set])
            predicted.append(json.loads(report)["time"]["step_s"])
        steps = -(-arguments.steps // arguments.rounds)
        for _ in range(arguments.rounds):
            for times, (_, model, ranks, keys) in zip(measured, STRATEGIES):
                with tempfile.TemporaryDirectory() as log:
                    succeed(
                        [
                            arguments.bin / "nxdt-run", arguments.config, f"exp_manager.explicit_log_dir={log}",
                            *overrides(model, ranks, keys, folder), *arguments.set, f"trainer.max_steps={steps + WARM_UP}",
                        ]
                    )
                    lines = [json.loads(line) for line in (Path(log) / "metrics.jsonl").read_text().splitlines()]
                    times.extend([line["step_time_s"] for line in lines if "step_time_s" in line][WARM_UP:])
    medians = [statistics.median(times) for times in measured]
    correlation = spearman(predicted, medians)
    lines = [
        "# Time of strategies",
        "",
        f"`python3 bench/strategy_time.py --config {arguments.config.parent.name}/{arguments.config.name}`, {datetime.date.today()}, "
        f"{os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f} at the end. Median of {len(measured[0])} steps, in ms; the spread is "
        "that of the middle half of them.",
        "",
        "| hidden size | strategy | predicted | measured | spread | off by |",
        "|---|---|---|---|---|---|",
    ]
    for (label, model, _, _), guess, median, times in zip(STRATEGIES, predicted, medians, measured):
        quarter = statistics.quantiles(times, n=4)
        lines.append(f"| {model[0]} | {label} | {1e3 * guess:.1f} | {1e3 * median:.1f} | {1e3 * (quarter[2] - quarter[0]):.1f} | {100 * (guess / median - 1):+.0f} % |")
    good = correlation >= WANTED_CORRELATION
    lines += ["", f"Spearman correlation {correlation:.3f} (wanted: {WANTED_CORRELATION})."]
    for model in (SMALL, LARGE):
        of = [i for i, strategy in enumerate(STRATEGIES) if strategy[1] == model]
        chosen, best = min(of, key=predicted.__getitem__), min(of, key=medians.__getitem__)
        loss = medians[chosen] / medians[best] - 1
        good &= loss <= WANTED_LOSS
        lines.append(f"Hidden size {model[0]}: the predicted best is {STRATEGIES[chosen][0]}, the measured best {STRATEGIES[best][0]}; it takes {100 * loss:.1f} % longer.")
    lines += ["", "The host as measured before:", "", "```yaml", text.rstrip(), "```"]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
