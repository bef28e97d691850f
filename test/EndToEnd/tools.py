"""What the end-to-end tests share: the programs under test, their output, and plain readers of what they write.

Python's standard library only, so that nothing of what is tested checks itself.
"""

import array
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path


class Failure(Exception):
    """A test did not hold."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def main(test):
    """Runs a test; one message and exit status 1 where it does not hold."""
    try:
        test()
    except Failure as failure:
        print(f"FAILED: {failure}", file=sys.stderr)
        sys.exit(1)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


class Programs:
    """The three tools of a build folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()

    def path(self, name):
        program = self.folder / name
        check(program.is_file(), f"{program} does not exist: build it first")
        return program

    def command(self, name, *arguments):
        return [str(self.path(name)), *map(str, arguments)]

    def run(self, name, *arguments, cwd=None, timeout=300, env=None):
        """The finished process; its exit status is the caller's business."""
        environment = {**os.environ, **(env or {})}
        return subprocess.run(
            self.command(name, *arguments), cwd=cwd, env=environment, timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
        )

    def succeed(self, name, *arguments, **options):
        done = self.run(name, *arguments, **options)
        check(done.returncode == 0, f"{name} {' '.join(map(str, arguments))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done


def checkpoints(log_dir):
    """Complete checkpoints of a run, oldest first."""
    folders = [path.parent for path in (Path(log_dir) / "checkpoints").glob("*.ckpt/done")]
    return sorted(folders, key=lambda path: int(re.search(r"step=(\d+)", path.name).group(1)))


def export(programs, log_dir, out):
    """The Hugging Face folder of a run's last checkpoint."""
    found = checkpoints(log_dir)
    check(found, f"{log_dir}/checkpoints holds no complete checkpoint")
    programs.succeed("nxdt-ckpt", "to-hf", found[-1], out)
    return Path(out)


def read_metrics(log_dir):
    """([a line per logged step], [a line per evaluation])."""
    lines = [json.loads(line) for line in (Path(log_dir) / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line], [line for line in lines if "val_loss" in line]


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], data[8 + length + begin : 8 + length + end])
    return tensors


def floats(tensor, name):
    dtype, shape, data = tensor
    check(dtype == "F32", f"{name} is {dtype}, not F32")
    values = array.array("f", data)
    check(len(values) == math.prod(shape), f"{name}: {len(values)} elements for shape {shape}")
    return values


def read_folder(folder):
    """All tensors of a Hugging Face folder, one file or many."""
    tensors = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        tensors.update(read_safetensors(path))
    return tensors
