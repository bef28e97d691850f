#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loads every .pt file of a checkpoint with torch.load(weights_only=True).

usage: check_pt.py TAG_FOLDER

Checks, against manifest.json, that each tensor is there with its type and
shape and nothing else is, and that user_content.pt holds plain containers.
Exit code 0 and one line if so; 1 and the reasons if not.
"""
import json
import pathlib
import sys

import torch

DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "bf16": torch.bfloat16,
    "f16": torch.float16,
    "i64": torch.int64,
    "i32": torch.int32,
    "u8": torch.uint8,
    "bool": torch.bool,
}


def parts_in(file, described):
    """{name: its part in a file}, of the manifest's {name: [parts]}."""
    return {name: part for name, parts in described.items() for part in parts if part["file"] == file}


def compare(where, loaded, expected, problems):
    """A dict of tensors with the manifest's description of it."""
    if set(loaded) != set(expected):
        problems.append(f"{where}: names {sorted(set(loaded) ^ set(expected))}")
    for name in set(loaded) & set(expected):
        tensor, entry = loaded[name], expected[name]
        if not isinstance(tensor, torch.Tensor):
            problems.append(f"{where}: {name} is {type(tensor).__name__}")
        elif tensor.dtype != DTYPES[entry["dtype"]]:
            problems.append(f"{where}: {name} is {tensor.dtype}")
        elif list(tensor.shape) != entry["shape"]:
            problems.append(f"{where}: {name} is {list(tensor.shape)}")
        elif tensor.is_floating_point() and not tensor.isfinite().all():
            problems.append(f"{where}: {name} is not finite")


def plain(value):
    if isinstance(value, dict):
        return all(isinstance(k, (str, int)) and plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(plain(v) for v in value)
    return value is None or isinstance(value, (bool, int, float, str, torch.Tensor))


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    tag = pathlib.Path(sys.argv[1])
    manifest = json.loads((tag / "manifest.json").read_text())
    files = sorted(tag.rglob("*.pt"))
    loaded = {}
    for path in files:
        name = path.relative_to(tag).as_posix()
        loaded[name] = torch.load(path, weights_only=True, map_location="cpu")
        # Records are aligned and stored: the file can be mapped as well.
        torch.load(path, weights_only=True, map_location="cpu", mmap=True)

    problems = []
    if set(loaded) != set(manifest["files"]):
        problems.append(f"files: {sorted(set(loaded) ^ set(manifest['files']))}")
    for name, content in loaded.items():
        if name.startswith("model/"):
            compare(name, content, parts_in(name, manifest["model"]), problems)
        elif name.startswith("optim/"):
            if set(content) != set(manifest["optimizer"]):
                problems.append(f"{name}: states {sorted(content)}")
            for state in set(content) & set(manifest["optimizer"]):
                compare(f"{name}: {state}", content[state],
                        parts_in(name, manifest["optimizer"][state]), problems)
    content = loaded.get("user_content.pt", {})
    if not plain(content):
        problems.append("user_content.pt: holds more than plain containers")
    for key in ("step", "consumed_samples"):
        if content.get(key) != manifest[key]:
            problems.append(f"user_content.pt: {key} is {content.get(key)}")
    for problem in problems:
        print(f"{tag}: {problem}", file=sys.stderr)
    if problems:
        return 1
    tensors = len(manifest["model"]) + sum(map(len, manifest["optimizer"].values()))
    print(f"{tag}: {len(files)} files, {tensors} tensors load in torch {torch.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
