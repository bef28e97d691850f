"""Whether a run is the reference run, within the tolerance of README.md beside this file."""

import json
import math
from pathlib import Path

from tools import check, floats

LOSS_RELATIVE = 2e-6
GRAD_NORM_RELATIVE = 1e-5
LR_RELATIVE = 1e-12
# A weight whose gradient is near zero is amplified by AdamW: a few may lie apart, but not far.
WEIGHT_MANY = 1e-5
WEIGHT_MANY_COUNT = 10
WEIGHT_ANY = 2e-4


def compare_steps(steps, expected, global_batch):
    """`steps`: the lines of metrics.jsonl; `expected`: the steps of expected.json, the first is step 1 of the lines."""
    numbers = [line["step"] for line in steps]
    check(numbers == list(range(1, len(expected) + 1)), f"metrics.jsonl has steps {numbers}, expected are 1 to {len(expected)}")
    largest = {"loss": 0.0, "grad_norm": 0.0, "lr": 0.0}
    for line, wanted in zip(steps, expected):
        for key, tolerance in (("loss", LOSS_RELATIVE), ("grad_norm", GRAD_NORM_RELATIVE), ("lr", LR_RELATIVE)):
            distance = abs(line[key] - wanted[key])
            check(
                distance <= tolerance * abs(wanted[key]),
                f"step {line['step']}: {key} is {line[key]!r}, expected {wanted[key]!r}: apart by {distance:.3g}, "
                f"allowed are {tolerance * abs(wanted[key]):.3g}",
            )
            if wanted[key]:
                largest[key] = max(largest[key], distance / abs(wanted[key]))
        check(
            line["consumed_samples"] == line["step"] * global_batch,
            f"step {line['step']}: consumed_samples is {line['consumed_samples']}, expected {line['step'] * global_batch}",
        )
        for key in ("step_time_s", "tokens_per_s", "peak_memory_bytes"):
            check(line[key] > 0, f"step {line['step']}: {key} is {line[key]}")
    return largest


def compare_weights(tensors, expected):
    """Both {name: (dtype, shape, bytes)}; the names must be the same."""
    check(
        tensors.keys() == expected.keys(),
        f"tensors missing: {sorted(expected.keys() - tensors.keys())}, too many: {sorted(tensors.keys() - expected.keys())}",
    )
    beyond, largest, worst = 0, 0.0, ""
    for name, wanted in expected.items():
        check(tensors[name][1] == wanted[1], f"{name} has shape {tensors[name][1]}, expected {wanted[1]}")
        for value, reference in zip(floats(tensors[name], name), floats(wanted, name)):
            distance = abs(value - reference)
            if math.isnan(distance):
                distance = math.inf
            if distance > WEIGHT_MANY:
                beyond += 1
            if distance > largest:
                largest, worst = distance, name
    check(largest <= WEIGHT_ANY, f"a weight of {worst} is apart by {largest:.3g}, allowed are {WEIGHT_ANY:g}")
    check(beyond <= WEIGHT_MANY_COUNT, f"{beyond} weights are apart by more than {WEIGHT_MANY:g}, allowed are {WEIGHT_MANY_COUNT}")
    return largest, beyond


def compare_model_config(exported, original):
    """The exported config.json describes the same model."""
    written, given = json.loads(Path(exported).read_text()), json.loads(Path(original).read_text())
    about_files = {"transformers_version", "torch_dtype", "dtype", "architectures", "_name_or_path"}
    for key in given.keys() - about_files:
        check(key in written and written[key] == given[key], f"config.json: {key} is {written.get(key)!r}, was {given[key]!r}")
