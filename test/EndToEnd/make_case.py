#!/usr/bin/env python3
"""Makes one of the project's own reference runs, cases/CASE, with Hugging Face transformers and PyTorch.

    .venv-test/bin/python test/EndToEnd/make_case.py CASE [OUT]     (pyarrow of .venv is found by itself)

The layout is that of every reference run (see README.md beside this file). The cases cover what others do not:

bias_linear  biases in attention and MLP, linear RoPE scaling in a config.json of transformers 4, a head_dim that is not
             hidden_size / heads, padded rows (attention_mask 0, label -100), a data set that does not divide by the
             global batch and is read more than once, a constant learning rate and no clipping
odd_sizes    a vocabulary and an intermediate size that nothing divides, tied embeddings, three layers, clipping
five_layers  for pipelines: layers that stages cannot share equally, tied embeddings, padded and masked rows
six_layers   the same untied, and a data set of one micro-batch more than the least
eight_layers enough for four stages of two chunks
"""

import glob
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEEP = {
    "vocab_size": 96,
    "global_batch": 8,
    "clip": 1.0,
    "attention_bias": False,
    "mlp_bias": False,
    "head_dim": 8,
    "hidden_size": 32,
    "intermediate_size": 48,
    "rope_scaling": None,
}
SPECIAL = {
    "bias_linear": {"vocab_size": 128, "global_batch": 4, "clip": None},
    "odd_sizes": {
        "vocab_size": 127,
        "global_batch": 8,
        "clip": 1.0,
        "attention_bias": False,
        "mlp_bias": False,
        "intermediate_size": 83,
        "num_hidden_layers": 3,
        "rope_scaling": None,
        "tie_word_embeddings": True,
    },
    "five_layers": {**DEEP, "num_hidden_layers": 5, "tie_word_embeddings": True},
    "six_layers": {**DEEP, "num_hidden_layers": 6},
    "eight_layers": {**DEEP, "num_hidden_layers": 8},
}
if len(sys.argv) < 2 or sys.argv[1] not in SPECIAL:
    sys.exit(f"usage: make_case.py {'|'.join(SPECIAL)} [OUT]")
NAME = sys.argv[1]
CASE = SPECIAL[NAME]
VOCAB, GLOBAL_BATCH, CLIP = CASE["vocab_size"], CASE["global_batch"], CASE["clip"]
STEPS, MICRO_BATCH, SEQUENCE, ROWS = 12, 2, 32, 30
LEARNING_RATE, WEIGHT_DECAY, BETAS, EPS = 1e-3, 0.1, (0.9, 0.95), 1e-6

# As transformers 4 wrote it: rope_theta and rope_scaling, not rope_parameters.
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": True,
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "head_dim": 16,
    "hidden_act": "silu",
    "hidden_size": 48,
    "initializer_range": 0.06,
    "intermediate_size": 80,
    "max_position_embeddings": 64,
    "mlp_bias": True,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"factor": 2.0, "rope_type": "linear"},
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "use_cache": True,
    "vocab_size": VOCAB,
}
CONFIG.update({key: value for key, value in CASE.items() if key in CONFIG})

YAML = f"""name: {NAME}
model_source: hf
seed: 1234

trainer:
  devices: 1
  num_nodes: 1
  max_steps: {STEPS}
  log_every_n_steps: 1
  val_check_interval: null
  num_sanity_val_steps: 0
  limit_val_batches: 0.0
  gradient_clip_val: {"null" if CLIP is None else CLIP}

exp_manager:
  explicit_log_dir: null
  create_tensorboard_logger: False
  resume_if_exists: False
  resume_ignore_no_checkpoint: True
  create_checkpoint_callback: True
  checkpoint_callback_params:
    monitor: step
    save_top_k: 1
    mode: max
    save_last: False
    filename: '{NAME}--{{step}}-{{consumed_samples}}'
    every_n_train_steps: {STEPS}
  log_gradient_norm: True
  resume_from_checkpoint: hf

distributed_strategy:
  tensor_model_parallel_size: 1
  pipeline_model_parallel_size: 1
  zero1: True
  sequence_parallel: False

data:
  micro_batch_size: {MICRO_BATCH}
  global_batch_size: {GLOBAL_BATCH}
  train_dir: train

model:
  model_config: hf/config.json
  encoder_seq_length: {SEQUENCE}
  max_position_embeddings: 64
  weight_init_only: True
  fusions:
    softmax: True
    flash_attention: True
  do_layer_norm_weight_decay: False
  optim:
    name: adamw
    lr: {LEARNING_RATE}
    weight_decay: {WEIGHT_DECAY}
    eps: {EPS!r}
    betas: {list(BETAS)}

precision:
  type: fp32
"""


def make_rows(generator):
    """Rows that can be learned: mostly the next token is 5 * token + 3 modulo the vocabulary."""
    ids = torch.empty(ROWS, SEQUENCE, dtype=torch.int64)
    ids[:, 0] = torch.randint(3, VOCAB, (ROWS,), generator=generator)
    noise = torch.rand(ROWS, SEQUENCE, generator=generator)
    random = torch.randint(3, VOCAB, (ROWS, SEQUENCE), generator=generator)
    for t in range(1, SEQUENCE):
        ids[:, t] = torch.where(noise[:, t] < 0.2, random[:, t], (5 * ids[:, t - 1] + 3) % VOCAB)
    mask = torch.ones_like(ids)
    labels = ids.clone()
    for row in range(0, ROWS, 3):
        padded = int(torch.randint(1, SEQUENCE // 2, (1,), generator=generator))
        mask[row, SEQUENCE - padded :] = 0
        ids[row, SEQUENCE - padded :] = 0
        labels[row, SEQUENCE - padded :] = -100
    # A prompt that is not learned, in a row of its own.
    labels[1, :10] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def write_rows(folder, rows):
    """A `datasets` folder, as save_to_disk writes it."""
    try:
        import pyarrow as pa
    except ImportError:
        sys.path += glob.glob(str(ROOT / ".venv/lib/python3*/site-packages"))
        import pyarrow as pa
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(value.tolist(), pa.list_(pa.int64())) for name, value in rows.items()})
    with pa.ipc.new_stream(str(folder / "data-00000-of-00001.arrow"), table.schema) as writer:
        writer.write_table(table)
    feature = {"feature": {"dtype": "int64", "_type": "Value"}, "_type": "List"}
    info = {"citation": "", "description": "", "features": {name: feature for name in rows}, "homepage": "", "license": ""}
    state = {
        "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
        "_fingerprint": NAME,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2) + "\n")
    (folder / "state.json").write_text(json.dumps(state, indent=2) + "\n")


def weights(model):
    """As save_pretrained keeps them: a tied weight once."""
    tied = CONFIG["tie_word_embeddings"]
    return {name: value.detach().float().clone() for name, value in model.state_dict().items() if not (tied and name == "lm_head.weight")}


def build(state=None):
    model = LlamaForCausalLM(LlamaConfig(**CONFIG, attn_implementation="eager")).float().train()
    if state is not None:
        model.load_state_dict(state, strict=False)
        model.tie_weights()
    return model


def train(state, rows, dtype=torch.float32, micro_batch=MICRO_BATCH):
    """[{step, loss, grad_norm, lr}] and the trained weights."""
    model = build(state).to(dtype)
    decayed = [p for name, p in model.named_parameters() if "norm" not in name and not name.endswith("bias")]
    others = [p for name, p in model.named_parameters() if "norm" in name or name.endswith("bias")]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=EPS, foreach=False)
    usable = ROWS - ROWS % GLOBAL_BATCH
    steps = []
    for step in range(STEPS):
        start = step * GLOBAL_BATCH % usable
        batch = {name: value[start : start + GLOBAL_BATCH] for name, value in rows.items()}
        count = int((batch["labels"][:, 1:] != -100).sum())
        optimizer.zero_grad()
        total = 0.0
        for i in range(0, GLOBAL_BATCH, micro_batch):
            part = {name: value[i : i + micro_batch] for name, value in batch.items()}
            logits = model(input_ids=part["input_ids"], attention_mask=part["attention_mask"]).logits
            loss = torch.nn.functional.cross_entropy(
                logits[:, :-1].reshape(-1, VOCAB), part["labels"][:, 1:].reshape(-1), ignore_index=-100, reduction="sum"
            )
            (loss / count).backward()
            total += loss.item()
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(p.grad.double()) for p in model.parameters()]))
        if CLIP is not None:
            for p in model.parameters():
                p.grad.mul_(min(1.0, CLIP / (norm.item() + 1e-6)))
        optimizer.step()
        steps.append({"step": step, "loss": total / count, "grad_norm": norm.item(), "lr": LEARNING_RATE})
    return steps, weights(model)


def report_spread(state, rows, steps, final):
    """How far correct runs lie apart: this must stay well inside the tolerance that the test grants."""
    for what, options in {"float64": {"dtype": torch.float64}, "micro-batch 1": {"micro_batch": 1}}.items():
        other_steps, other = train(state, rows, **options)
        loss = max(abs(a["loss"] - b["loss"]) / a["loss"] for a, b in zip(steps, other_steps))
        norm = max(abs(a["grad_norm"] - b["grad_norm"]) / a["grad_norm"] for a, b in zip(steps, other_steps))
        differences = torch.cat([(final[name] - other[name]).abs().flatten() for name in final])
        print(f"{what}: loss {loss:.1e}, grad_norm {norm:.1e} relative; weights at most {differences.max():.1e}, {int((differences > 1e-5).sum())} beyond 1e-5")


def main():
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "cases" / NAME
    torch.manual_seed(5)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(11)
    rows = make_rows(generator)
    model = build()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # transformers starts biases at zero and norms at one, where mistakes can hide.
            if name.endswith("bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
            elif "norm" in name:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    state = weights(model)
    steps, final = train(state, rows)
    report_spread(state, rows, steps, final)

    (out / "hf").mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(YAML)
    (out / "hf" / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    save_file(state, out / "hf" / "model.safetensors", metadata={"format": "pt"})
    save_file(final, out / "final.safetensors", metadata={"format": "pt"})
    write_rows(out / "train", rows)
    (out / "expected.json").write_text(json.dumps({"run": {"steps": STEPS, "gbs": GLOBAL_BATCH}, "steps": steps}, indent=1) + "\n")
    print(f"{out}: loss {steps[0]['loss']:.4f} -> {steps[-1]['loss']:.4f}, grad_norm {steps[0]['grad_norm']:.3f} -> {steps[-1]['grad_norm']:.3f}")


if __name__ == "__main__":
    main()
