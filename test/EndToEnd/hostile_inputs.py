"""The inputs of hostile.py. An entry changes a copy of a good run (config.yaml, hf/, train/) in one place."""

import json
import os
import re
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from tools import check, checkpoints

LOG = "exp_manager.explicit_log_dir=log"


@dataclass
class Entry:
    name: str
    # What the message must say: a key, a value, a file, the way out.
    words: list
    # (programs, folder) -> (program, arguments); makes the input.
    make: Callable
    env: dict = field(default_factory=dict)
    # A good run is part of the entry, so its checkpoint is no leftover.
    trains: bool = False
    # How many mistakes the input has: all mistakes of a configuration are reported at once. 0: more than one.
    errors: int = 1


def run(*overrides):
    return "nxdt-run", ["config.yaml", LOG, *overrides]


# --- how an input is spoilt -------------------------------------------------------------------------------------------


def yaml(name, old, new, *words, errors=1):
    """Replaces a piece of the YAML; `old` must be there."""

    def make(programs, folder):
        path = folder / "config.yaml"
        text = path.read_text()
        check(old in text, f"config.yaml has no {old!r}")
        path.write_text(text.replace(old, new, 1))
        return run()

    return Entry(name, list(words), make, errors=errors)


def whole_yaml(name, data, *words, errors=1):
    def make(programs, folder):
        (folder / "config.yaml").write_bytes(data)
        return "nxdt-run", ["config.yaml"]

    return Entry(name, list(words), make, errors=errors)


def override(name, overrides, *words, env=None):
    return Entry(name, list(words), lambda programs, folder: run(*overrides), env or {})


def command(name, program, arguments, *words):
    return Entry(name, list(words), lambda programs, folder: (program, arguments))


def model_config(name, change, *words):
    """`change`: {key: value} for config.json, or the whole text."""

    def make(programs, folder):
        path = folder / "hf" / "config.json"
        if isinstance(change, dict):
            values = json.loads(path.read_text())
            values.update(change)
            path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
        else:
            path.write_text(change)
        return run()

    return Entry(name, list(words), make)


def weights(name, change, *words):
    """`change`: (header, data) -> the bytes of the new file."""

    def make(programs, folder):
        path = folder / "hf" / "model.safetensors"
        data = path.read_bytes()
        (length,) = struct.unpack_from("<Q", data)
        path.write_bytes(change(json.loads(data[8 : 8 + length]), data[8 + length :]))
        return run()

    return Entry(name, list(words), make)


def pack(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def in_header(name, edit):
    """A change of one tensor's entry: edit(entry) in place."""

    def change(header, data):
        edit(header[name])
        return pack(header, data)

    return change


def last_tensor(header):
    return max((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"])


def without_last_tensor(header, data):
    begin, _ = header.pop(last_tensor(header))["data_offsets"]
    return pack(header, data[:begin])


def folder_change(name, change, *words, overrides=(), trains=False):
    """`change`: folder -> anything."""

    def make(programs, folder):
        change(folder)
        return run(*overrides)

    return Entry(name, list(words), make, trains=trains)


def data(name, change, *words, overrides=()):
    """`change`: {column: list of rows} -> the new columns (or an Arrow table)."""

    def make(programs, folder):
        import pyarrow as pa

        path = folder / "train" / "data-00000-of-00001.arrow"
        columns = pa.ipc.open_stream(str(path)).read_all().to_pydict()
        changed = change(columns)
        table = changed if isinstance(changed, pa.Table) else pa.table({key: pa.array(rows, pa.list_(pa.int64())) for key, rows in changed.items()})
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table)
        return run(*overrides)

    return Entry(name, list(words), make)


def set_at(column, row, position, value):
    def change(columns):
        columns[column][row][position] = value
        return columns

    return change


def without(column):
    return lambda columns: {name: rows for name, rows in columns.items() if name != column}


def as_table(make_arrays):
    def change(columns):
        import pyarrow as pa

        return pa.table(make_arrays(pa, columns))

    return change


def mask_hole(columns):
    columns["attention_mask"][1][5] = 0
    return columns


def all_masked(columns):
    for row in range(4, 8):
        columns["labels"][row] = [-100] * len(columns["labels"][row])
    return columns


def edit_state(change):
    def apply(folder):
        path = folder / "train" / "state.json"
        state = json.loads(path.read_text())
        path.write_text(change(state))

    return apply


def cut(path, size):
    def apply(folder):
        os.truncate(folder / path, size if size >= 0 else (folder / path).stat().st_size + size)

    return apply


def plan(name, change, *words):
    """Spoils a good plan: change(folder of the plan)."""

    def make(programs, folder):
        programs.succeed("nxdt-opt", folder / "config.yaml", f"exp_manager.explicit_log_dir={folder}/log", "--emit=plan", "-o", folder / "plan")
        change(folder / "plan")
        return "nxdt-run", ["--plan", "plan"]

    return Entry(name, list(words), make)


def plan_json(name, change, *words):
    def spoil(folder):
        path = folder / "plan.json"
        values = json.loads(path.read_text())
        change(values)
        path.write_text(json.dumps(values))

    return plan(name, spoil, *words)


def checkpoint(name, change, command_after, *words):
    """Trains two steps, then spoils the checkpoint: change(its folder)."""

    def make(programs, folder):
        programs.succeed(
            "nxdt-run", folder / "config.yaml", f"exp_manager.explicit_log_dir={folder}/log", "trainer.max_steps=2",
            "exp_manager.checkpoint_callback_params.every_n_train_steps=2", cwd=folder,
        )  # fmt: skip
        (tag,) = checkpoints(folder / "log")
        change(tag)
        return command_after(tag)

    return Entry(name, list(words), make, trains=True)


def resume(tag):
    return run("exp_manager.resume_if_exists=True", "trainer.max_steps=4")


def resume_here(tag):
    return run(f"exp_manager.resume_from_checkpoint='{tag}'", "exp_manager.explicit_log_dir=other", "trainer.max_steps=4")


def to_hf(tag):
    return "nxdt-ckpt", ["to-hf", tag, "out"]


def flip(pattern):
    """Changes a byte in the middle of the largest file that matches."""

    def apply(folder):
        path = max(folder.glob(pattern), key=lambda found: found.stat().st_size)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return apply


def remove(pattern):
    def apply(folder):
        found = list(folder.glob(pattern))
        check(found, f"{folder} has no {pattern}")
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


# --- the tables -------------------------------------------------------------------------------------------------------

Q = "model.layers.0.self_attn.q_proj.weight"

CONFIG = [
    whole_yaml("yaml-tab", b"trainer:\n\tdevices: 1\n", "config.yaml:2"),
    whole_yaml("yaml-unclosed-quote", b"name: 'abc\ntrainer:\n  devices: 1\n", "config.yaml"),
    whole_yaml("yaml-unclosed-list", b"model:\n  optim:\n    betas: [0.9, 0.95\n", "config.yaml"),
    whole_yaml("yaml-list-at-top", b"- a\n- b\n", "config.yaml"),
    whole_yaml("yaml-empty", b"", "config.yaml", "trainer.max_steps", errors=0),
    whole_yaml("yaml-binary", bytes(range(256)) * 20, "config.yaml"),
    whole_yaml("yaml-deep", b"a: " + b"[" * 20000 + b"]" * 20000, "config.yaml"),
    whole_yaml("yaml-alias-bomb", b"a: &a [x, x]\n" + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b", ".join([b"*%c" % (97 + i)] * 10)) for i in range(20)), "config.yaml"),
    yaml("yaml-duplicate-key", "  devices: 1\n", "  devices: 1\n  devices: 1\n", "devices", "config.yaml:"),
    yaml("unknown-key", "max_steps: 12", "max_step: 12", "trainer.max_step", "max_steps", "config.yaml:", errors=2),
    yaml("unknown-section", "\ntrainer:", "\ntrainr:", "trainr", "trainer", errors=2),
    yaml("missing-section", "data:\n", "datum:\n", "data", errors=3),
    yaml("word-for-integer", "max_steps: 12", "max_steps: ten", "trainer.max_steps", "ten", "config.yaml:"),
    yaml("float-for-integer", "micro_batch_size: 2", "micro_batch_size: 1.5", "data.micro_batch_size", "1.5"),
    yaml("huge-integer", "max_steps: 12", "max_steps: 99999999999999999999999", "trainer.max_steps"),
    yaml("negative-batch", "micro_batch_size: 2", "micro_batch_size: -2", "data.micro_batch_size", "-2"),
    yaml("zero-batch", "global_batch_size: 4", "global_batch_size: 0", "data.global_batch_size"),
    yaml("section-for-value", "max_steps: 12", "max_steps: {a: 1}", "trainer.max_steps"),
    yaml("value-for-section", "  fusions:\n    softmax: True\n    flash_attention: True\n", "  fusions: fast\n", "model.fusions"),
    yaml("one-beta", "betas: [0.9, 0.95]", "betas: [0.9]", "betas"),
    yaml("betas-no-list", "betas: [0.9, 0.95]", "betas: 0.9", "betas"),
    yaml("beta-above-one", "betas: [0.9, 0.95]", "betas: [0.9, 1.5]", "betas", "1.5"),
    yaml("negative-lr", "lr: 0.001", "lr: -0.001", "model.optim.lr"),
    yaml("nan-lr", "lr: 0.001", "lr: .nan", "model.optim.lr"),
    yaml("interpolation-to-nothing", "max_steps: 12", "max_steps: ${trainer.steps}", "trainer.steps"),
    yaml("interpolation-in-a-circle", "max_steps: 12", "max_steps: ${trainer.max_steps}", "trainer.max_steps"),
    yaml("interpolation-unclosed", "max_steps: 12", "max_steps: ${trainer.devices", "config.yaml"),
    yaml("unknown-resolver", "max_steps: 12", "max_steps: ${power:2, 3}", "power"),
    yaml("missing-environment-variable", "max_steps: 12", "max_steps: ${oc.env:NXDT_NOT_THERE}", "NXDT_NOT_THERE"),
    yaml("unknown-optimizer", "name: adamw", "name: adamx", "model.optim.name", "adamx", "adamw"),
    yaml("unknown-schedule", "    betas: [0.9, 0.95]", "    betas: [0.9, 0.95]\n    sched: {name: Cosine, warmup_steps: 1}", "sched.name", "CosineAnnealing"),
    yaml("batch-does-not-divide", "micro_batch_size: 2", "micro_batch_size: 3", "global_batch_size", "micro_batch_size", "4"),
    yaml("unknown-precision", "type: fp32", "type: fp7", "precision.type", "fp7"),
    yaml("not-enough-ranks", "tensor_model_parallel_size: 1", "tensor_model_parallel_size: 2", "distributed_strategy", "devices * num_nodes = 1 * 1 = 1"),
    yaml("no-devices", "devices: 1", "devices: 0", "trainer.devices"),
    yaml("foreign-model-source", "model_source: hf", "model_source: jax", "model_source", "jax"),
    yaml("python-tag", "name: bias_linear", "name: !!python/object/apply:os.system ['true']", "config.yaml"),
]

OVERRIDES = [
    override("override-unknown-key", ["trainer.max_step=3"], "trainer.max_step"),
    override("override-without-value", ["trainer.max_steps"], "trainer.max_steps"),
    override("override-adds-what-is-there", ["+trainer.max_steps=3"], "trainer.max_steps"),
    override("override-deletes-nothing", ["~trainer.nothing"], "trainer.nothing"),
    override("override-into-a-value", ["trainer.max_steps.a=3"], "trainer.max_steps"),
    override("override-bad-list", ["model.optim.betas=[0.9,"], "betas"),
    override("override-wrong-type", ["data.global_batch_size=many"], "data.global_batch_size", "many"),
    command("config-missing", "nxdt-run", ["nowhere.yaml"], "nowhere.yaml"),
    command("config-is-a-folder", "nxdt-run", ["train.yaml", LOG], "train.yaml"),
    command("two-configs", "nxdt-run", ["config.yaml", "config.yaml"], "config"),
    command("unknown-option", "nxdt-run", ["config.yaml", "--fast"], "--fast"),
    command("nothing", "nxdt-run", [], "config"),
    command("opt-unknown-phase", "nxdt-opt", ["config.yaml", "--emit=everything"], "everything", "plan"),
    command("opt-config-missing", "nxdt-opt", ["nowhere.yaml"], "nowhere.yaml"),
    folder_change("log-dir-is-a-file", lambda folder: (folder / "file").write_text(""), "file", overrides=["exp_manager.explicit_log_dir=file"]),
]
OVERRIDES[8].make = lambda programs, folder: ((folder / "train.yaml").mkdir(), ("nxdt-run", ["train.yaml", LOG]))[1]

MODEL = [
    folder_change("model-config-missing", remove("hf/config.json"), "hf/config.json"),
    model_config("model-config-truncated", '{"vocab_size": 128, ', "config.json"),
    model_config("model-config-list", "[]", "config.json"),
    model_config("model-config-word-for-number", {"vocab_size": "many"}, "config.json", "vocab_size"),
    model_config("model-config-negative", {"hidden_size": -48}, "hidden_size", "-48"),
    model_config("model-config-huge", {"vocab_size": 10**30}, "vocab_size"),
    model_config("model-config-zero-layers", {"num_hidden_layers": 0}, "num_hidden_layers"),
    model_config("model-config-without-width", {"hidden_size": None}, "hidden_size"),
    model_config("heads-do-not-divide", {"num_key_value_heads": 3}, "num_key_value_heads", "num_attention_heads"),
    model_config("odd-head-dim", {"head_dim": 15}, "head_dim", "15"),
    model_config("other-architecture", {"model_type": "mamba"}, "model_type", "mamba"),
    model_config("unknown-rope", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "yarn"),
    model_config("rope-without-factor", {"rope_scaling": {"rope_type": "linear"}}, "factor"),
    model_config("other-activation", {"hidden_act": "gelu_and_more"}, "hidden_act", "gelu_and_more"),
]

WEIGHTS = [
    folder_change("weights-missing", remove("hf/model.safetensors"), "safetensors"),
    folder_change("weights-folder-missing", remove("hf"), "hf"),
    folder_change("weights-empty", cut("hf/model.safetensors", 0), "model.safetensors"),
    folder_change("weights-truncated", cut("hf/model.safetensors", -1000), "model.safetensors"),
    folder_change("header-truncated", cut("hf/model.safetensors", 100), "model.safetensors"),
    weights("header-longer-than-file", lambda header, data: struct.pack("<Q", 1 << 40) + b"{}", "model.safetensors"),
    weights("header-length-overflows", lambda header, data: struct.pack("<Q", (1 << 64) - 1) + b"{}" + data, "model.safetensors"),
    weights("header-no-json", lambda header, data: struct.pack("<Q", 8) + b"not json" + data, "model.safetensors"),
    weights("header-list", lambda header, data: pack([1, 2], data), "model.safetensors"),
    weights("offsets-beyond-file", in_header(Q, lambda entry: entry.update(data_offsets=[entry["data_offsets"][0] + (1 << 30), entry["data_offsets"][1] + (1 << 30)])), "model.safetensors", Q),
    weights("offsets-backwards", in_header(Q, lambda entry: entry["data_offsets"].reverse()), "model.safetensors", Q),
    weights("offsets-negative", in_header(Q, lambda entry: entry.update(data_offsets=[-16, 16])), "model.safetensors", Q),
    weights("shape-larger-than-bytes", in_header(Q, lambda entry: entry.update(shape=[entry["shape"][0] * 2, entry["shape"][1]])), "model.safetensors", Q),
    weights("shape-overflows", in_header(Q, lambda entry: entry.update(shape=[1 << 62, 1 << 62])), "model.safetensors", Q),
    weights("dtype-unknown", in_header(Q, lambda entry: entry.update(dtype="F7")), "model.safetensors", "F7"),
    weights("dtype-integer", in_header(Q, lambda entry: entry.update(dtype="I32")), Q),
    weights("shape-of-another-model", in_header(Q, lambda entry: entry["shape"].reverse()), Q, "48"),
    weights("tensor-missing", without_last_tensor, "model.norm.weight"),
    weights("tensor-unknown", lambda header, data: pack({(name + "x" if name == Q else name): entry for name, entry in header.items()}, data), Q),
    folder_change("shard-missing", lambda folder: (folder / "hf/model.safetensors").rename(folder / "hf/a") and (folder / "hf/model.safetensors.index.json").write_text(json.dumps({"weight_map": {Q: "model-00001-of-00002.safetensors"}})), "model-00001-of-00002.safetensors"),
    folder_change("shard-outside-folder", lambda folder: (folder / "hf/model.safetensors").rename(folder / "a.safetensors") and (folder / "hf/model.safetensors.index.json").write_text(json.dumps({"weight_map": {Q: "../a.safetensors"}})), "../a.safetensors"),
    weights("not-a-number", lambda header, data: pack(header, struct.pack("<f", float("nan")) * (len(data) // 4)), "step 1"),
]

DATA = [
    folder_change("train-dir-missing", remove("train"), "train"),
    folder_change("train-dir-is-a-file", lambda folder: (shutil.rmtree(folder / "train"), (folder / "train").write_text("x")), "train"),
    folder_change("state-missing", remove("train/state.json"), "state.json"),
    folder_change("state-broken", edit_state(lambda state: "{"), "state.json"),
    folder_change("state-without-files", edit_state(lambda state: json.dumps({**state, "_data_files": []})), "state.json"),
    folder_change("state-names-nothing", edit_state(lambda state: json.dumps({**state, "_data_files": [{"filename": "other.arrow"}]})), "other.arrow"),
    folder_change("state-names-outside", edit_state(lambda state: json.dumps({**state, "_data_files": [{"filename": "../../../../etc/passwd"}]})), "passwd"),
    folder_change("arrow-truncated", cut("train/data-00000-of-00001.arrow", -3000), "data-00000-of-00001.arrow"),
    folder_change("arrow-empty", cut("train/data-00000-of-00001.arrow", 0), "data-00000-of-00001.arrow"),
    folder_change("arrow-noise", lambda folder: (folder / "train/data-00000-of-00001.arrow").write_bytes(bytes(range(7, 256, 3)) * 100), "data-00000-of-00001.arrow"),
    data("no-input-ids", without("input_ids"), "input_ids"),
    data("no-labels", without("labels"), "labels"),
    data("token-beyond-vocabulary", set_at("input_ids", 2, 3, 128), "128"),
    data("token-negative", set_at("input_ids", 2, 3, -1), "-1"),
    data("token-enormous", set_at("input_ids", 2, 3, 1 << 40), str(1 << 40)),
    data("label-beyond-vocabulary", set_at("labels", 2, 3, 500), "500"),
    data("label-negative", set_at("labels", 2, 3, -7), "-7"),
    data("mask-neither-0-nor-1", set_at("attention_mask", 2, 3, 7), "attention_mask", "7"),
    data("mask-with-a-hole", mask_hole, "attention_mask"),
    data("no-rows", lambda columns: {name: [] for name in columns}, "0"),
    data("fewer-rows-than-a-batch", lambda columns: {name: rows[:3] for name, rows in columns.items()}, "3", "4", "global_batch_size"),
    data("rows-too-short", lambda columns: {name: [row[:20] for row in rows] for name, rows in columns.items()}, "20", "32"),
    data("rows-of-other-lengths", lambda columns: {name: [row[: 20 + i % 13] for i, row in enumerate(rows)] for name, rows in columns.items()}, "20"),
    data("labels-shorter-than-ids", lambda columns: {**columns, "labels": [row[:-1] for row in columns["labels"]]}, "labels"),
    data("null-token", set_at("input_ids", 2, 3, None), "input_ids"),
    data("floats", as_table(lambda pa, columns: {name: pa.array([[float(x) for x in row] for row in rows], pa.list_(pa.float32())) for name, rows in columns.items()}), "input_ids"),
    data("no-lists", as_table(lambda pa, columns: {name: pa.array([row[0] for row in rows], pa.int64()) for name, rows in columns.items()}), "input_ids"),
    data("nothing-to-learn", all_masked, "step 2"),
]

PLAN = [
    command("plan-missing", "nxdt-run", ["--plan", "nowhere"], "nowhere"),
    plan("plan-empty", cut("plan.json", 0), "plan.json"),
    plan("plan-truncated", cut("plan.json", -200), "plan.json"),
    plan("plan-without-config", remove("config.yaml"), "config.yaml"),
    plan_json("plan-of-another-version", lambda values: values.update(version=99), "version", "99"),
    plan_json("plan-with-nothing-in-it", lambda values: values.clear(), "plan.json"),
    plan_json("plan-unknown-key", lambda values: values.update(extra=1), "extra"),
    plan_json("plan-word-for-number", lambda values: values.update(vocab_size="many"), "vocab_size"),
    plan_json("plan-unknown-instruction", lambda values: values["programs"][1]["instructions"][0].update(kind="magic"), "magic"),
    plan_json("plan-unknown-operator", lambda values: values["programs"][1]["instructions"][0].update(op="aten::no_such_operator"), "no_such_operator"),
    plan_json("plan-value-beyond-end", lambda values: values["programs"][1]["instructions"][0].update(outs=[100000]), "100000"),
    plan_json("plan-negative-shape", lambda values: values["buffers"][0].update(shape=[-128, 48]), "-128"),
    plan_json("plan-other-shape", lambda values: values["buffers"][0].update(shape=[64, 48]), "model.embed_tokens.weight", "[64, 48]", "[128, 48]"),
    plan_json("plan-other-bytes", lambda values: values["memory"].update(param_bytes=1), "param_bytes", "219072"),
    plan_json("plan-without-programs", lambda values: values.update(programs=[]), "program"),
]

CHECKPOINT = [
    checkpoint("weights-file-missing", remove("model/*.pt"), resume, "dp_rank_00_tp_rank_00_pp_rank_00.pt"),
    checkpoint("weights-file-truncated", lambda tag: cut("model/dp_rank_00_tp_rank_00_pp_rank_00.pt", -500)(tag), resume, "dp_rank_00_tp_rank_00_pp_rank_00.pt"),
    checkpoint("weights-file-one-bit", flip("model/*.pt"), resume, "dp_rank_00_tp_rank_00_pp_rank_00.pt"),
    checkpoint("optimizer-one-bit", flip("optim/*.pt"), resume, "optim"),
    checkpoint("manifest-broken", lambda tag: (tag / "manifest.json").write_text("{"), resume, "manifest.json"),
    checkpoint("export-one-bit", flip("model/*.pt"), to_hf, "dp_rank_00_tp_rank_00_pp_rank_00.pt"),
    checkpoint("export-unfinished", remove("done"), to_hf, "done"),
    checkpoint("export-into-full-folder", lambda tag: None, lambda tag: ("nxdt-ckpt", ["to-hf", tag, "train"]), "train"),
    checkpoint("resume-from-spoilt", flip("model/*.pt"), resume_here, "dp_rank_00_tp_rank_00_pp_rank_00.pt"),
    command("export-nothing", "nxdt-ckpt", ["to-hf", "nowhere", "out"], "nowhere"),
    command("export-no-checkpoint", "nxdt-ckpt", ["to-hf", "train", "out"], "train"),
    command("unknown-command", "nxdt-ckpt", ["from-hf", "hf", "out"], "from-hf"),
]

TABLES = {"config": CONFIG, "overrides": OVERRIDES, "model": MODEL, "weights": WEIGHTS, "data": DATA, "plan": PLAN, "checkpoint": CHECKPOINT}

_names = [entry.name for table in TABLES.values() for entry in table]
assert len(_names) == len(set(_names)), "two entries have the same name"
