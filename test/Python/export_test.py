#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What nxdt exports is what transformers loads: the same keys, the same weights, the same loss.

usage: export_test.py --bin BIN --work DIR --case DIR [--case DIR ...]

Each case is a reference run (test/EndToEnd/README.md). It is trained and exported; transformers loads the folder, computes
the loss of the first batch with the trained weights, and nxdt, started from the same folder, must report the same.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "EndToEnd"))

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, LlamaForCausalLM  # noqa: E402

from tools import Programs, check, checkpoints, fresh, main, read_metrics  # noqa: E402

LOSS_RELATIVE = 2e-6


def read_rows(folder, count):
    # pyarrow is in the other environment; nothing else of it may be found first.
    sys.path.append(os.environ.get("NXDT_ARROW_SITE", ""))
    import pyarrow as pa

    table = pa.ipc.open_stream(str(folder / "data-00000-of-00001.arrow")).read_all().slice(0, count)
    return {name: torch.tensor(table[name].to_pylist()) for name in ("input_ids", "attention_mask", "labels")}


def reference_loss(model, rows):
    with torch.no_grad():
        logits = model(input_ids=rows["input_ids"], attention_mask=rows["attention_mask"]).logits
    targets = rows["labels"][:, 1:].reshape(-1)
    total = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(len(targets), -1).double(), targets, ignore_index=-100, reduction="sum")
    return (total / (targets != -100).sum()).item()


def load(folder):
    model, info = LlamaForCausalLM.from_pretrained(
        folder, output_loading_info=True, attn_implementation="eager", dtype=torch.float32, local_files_only=True
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        check(not info[kind], f"{folder}: {kind}: {info[kind]}")
    return model.eval()


def saved_keys(folder):
    keys = set()
    for path in folder.glob("*.safetensors"):
        keys |= set(load_file(path))
    return keys


def prove(programs, case, work):
    work = fresh(work)
    programs.succeed("nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={work}/log", cwd=work)
    tag = checkpoints(work / "log")[-1]
    programs.succeed("nxdt-ckpt", "to-hf", tag, work / "hf")
    model = load(work / "hf")
    check(type(AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(work / "hf"))) is LlamaForCausalLM, "AutoConfig does not see a Llama")

    model.save_pretrained(work / "saved")
    check(saved_keys(work / "hf") == saved_keys(work / "saved"), f"keys differ from save_pretrained's: {sorted(saved_keys(work / 'hf') ^ saved_keys(work / 'saved'))}")
    weights = torch.load(next(tag.glob("model/*.pt")), weights_only=True)
    for name, value in model.state_dict().items():
        if name in weights:
            check(torch.equal(weights[name].float(), value), f"{name}: what transformers loaded is not what the checkpoint holds")

    # nxdt's own loss with these weights: the first step of a run that starts from them.
    programs.succeed(
        "nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={work}/again", f"exp_manager.resume_from_checkpoint={work}/hf", "trainer.max_steps=1",
        "exp_manager.checkpoint_callback_params.every_n_train_steps=1", cwd=work,
    )  # fmt: skip
    steps, _ = read_metrics(work / "again")
    batch = json.loads((case / "expected.json").read_text())["run"]["gbs"]
    expected, own = reference_loss(model, read_rows(case / "train", batch)), steps[0]["loss"]
    check(abs(own - expected) <= LOSS_RELATIVE * expected, f"transformers computes a loss of {expected!r}, nxdt {own!r}")
    start = json.loads((case / "expected.json").read_text())["steps"][0]["loss"]
    check(abs(start - expected) > 1e-3, "training changed nothing, so equal losses prove nothing")

    programs.succeed("nxdt-ckpt", "to-hf", tag, work / "hf-bf16", "--dtype", "bf16")
    for path in (work / "hf-bf16").glob("*.safetensors"):
        for name, value in load_file(path).items():
            check(value.dtype == torch.bfloat16 and torch.equal(value, model.state_dict()[name].bfloat16()), f"--dtype bf16: {name} is not the rounded weight")
    shutil.rmtree(work / "saved")
    print(f"{case.name}: {len(saved_keys(work / 'hf'))} tensors, loss {own:.7f} in nxdt, {expected:.7f} in transformers")


def test():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--case", type=Path, action="append", required=True)
    arguments = parser.parse_args()
    for case in arguments.case:
        prove(Programs(arguments.bin), case.resolve(), arguments.work.resolve() / case.name)


if __name__ == "__main__":
    main(test)
