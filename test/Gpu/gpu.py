#!/usr/bin/env python3
"""Reference runs and a step of Llama 3.2 1B's shape where libtorch has a GPU; elsewhere one line why not, and exit status 77.

    gpu.py --bin BIN --work DIR [--accelerator gpu|cpu] golden --case CASE
    gpu.py --bin BIN --work DIR [--accelerator gpu|cpu] step --case CASE --model config.json [--layers N]

With --accelerator cpu nothing is skipped: everything but the device is then tested.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "EndToEnd"))

from golden import prove
from tools import Programs, check, fresh, main, read_metrics

SKIPPED = 77


def why_no_gpu(programs, case, work):
    """Why nxdt-run finds no GPU; None if it trained on one. What it says without one is one error, and it is tested here."""
    done = programs.run(
        "nxdt-run", case / "config.yaml", "++trainer.accelerator=gpu", "++trainer.max_steps=1", "exp_manager.create_checkpoint_callback=False",
        f"exp_manager.explicit_log_dir={work}/probe", cwd=work,
    )
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    check(done.returncode == 1 and len(errors) == 1, f"exit status {done.returncode}, not 1 with one error: {done.stderr}")
    found = re.fullmatch(
        r"error: \S+/plan\.json: was compiled for a GPU \(device: cuda\), but (.+); compile it with trainer\.accelerator=cpu to run it here", errors[0]
    )
    check(found, f"not the error of a machine without a GPU: {errors[0]}")
    check(not read_metrics_if_any(work / "probe"), "steps were logged although there is no GPU")
    return found.group(1)


def read_metrics_if_any(log_dir):
    return read_metrics(log_dir)[0] if (log_dir / "metrics.jsonl").exists() else []


def number_of_parameters(shape):
    """Of a Llama with tied embeddings and without biases."""
    hidden, heads, kv_heads, head = (shape[key] for key in ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"))
    attention = hidden * head * (2 * heads + 2 * kv_heads)
    layer = attention + 3 * hidden * shape["intermediate_size"] + 2 * hidden
    return shape["vocab_size"] * hidden + shape["num_hidden_layers"] * layer + hidden


def golden(programs, arguments, accelerator):
    apart, largest, beyond = prove(programs, arguments.case, arguments.work / "golden", [accelerator])
    return f"{arguments.case.name}: apart by at most loss {apart['loss']:.1e} (relative), weights {largest:.1e}, {beyond} beyond 1e-5"


def step(programs, arguments, accelerator):
    """One optimizer step from drawn weights on the case's samples, bf16 compute with fp32 masters."""
    shape = json.loads(arguments.model.read_text())
    check(shape["tie_word_embeddings"] and not shape["attention_bias"], f"{arguments.model}: the count of parameters below is for tied embeddings")
    if arguments.layers:
        shape["num_hidden_layers"] = arguments.layers
    model = arguments.work / "config.json"
    model.write_text(json.dumps(shape))
    log = arguments.work / "step"
    programs.succeed(
        "nxdt-run", arguments.case / "config.yaml", accelerator, f"model.model_config={model}", "trainer.max_steps=1", "precision.type=mixed_precision",
        "exp_manager.resume_from_checkpoint=null", "exp_manager.create_checkpoint_callback=False", f"exp_manager.explicit_log_dir={log}",
        cwd=arguments.work, timeout=900,
    )
    plan = json.loads((log / "plan" / "plan.json").read_text())
    device = {"cpu": "cpu", "gpu": "cuda"}[arguments.accelerator]
    check(plan["device"] == device, f"the plan's device is {plan['device']}, not {device}")
    steps, _ = read_metrics(log)
    check(len(steps) == 1, f"{len(steps)} steps were logged, not 1")
    (line,) = steps
    # Drawn weights know nothing: logits are normal with variance hidden * std^2 (the final norm's output has unit mean square).
    untrained = math.log(shape["vocab_size"]) + shape["hidden_size"] * shape["initializer_range"] ** 2 / 2
    check(abs(line["loss"] - untrained) < 0.25, f"the loss is {line['loss']}, of drawn weights it is about {untrained:.3f}")
    check(math.isfinite(line["grad_norm"]) and line["grad_norm"] > 0, f"grad_norm is {line['grad_norm']}")
    parameters = number_of_parameters(shape)
    # bf16 weight, fp32 master, accumulated gradient and two moments.
    state_bytes = parameters * (2 + 4 * 4)
    peak = line["peak_memory_bytes"]
    check(state_bytes <= peak < 2 * state_bytes, f"peak memory is {peak} bytes, the state alone {state_bytes}")
    return (
        f"{shape['num_hidden_layers']} layers, {parameters / 1e9:.2f} billion parameters: loss {line['loss']:.3f}, grad_norm {line['grad_norm']:.3f}, "
        f"{line['step_time_s']:.2f} s, peak {peak / 2**30:.2f} GiB"
    )


def test():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--accelerator", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("what", choices=["golden", "step"])
    parser.add_argument("--case", type=lambda text: Path(text).resolve(), required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--layers", type=int)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work)

    if arguments.accelerator == "gpu":
        reason = why_no_gpu(programs, arguments.case, work)
        if reason:
            print(f"skipped: {reason}")
            sys.exit(SKIPPED)
    run = golden if arguments.what == "golden" else step
    print(run(programs, arguments, f"++trainer.accelerator={arguments.accelerator}"))


if __name__ == "__main__":
    main(test)
