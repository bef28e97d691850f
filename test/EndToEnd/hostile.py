#!/usr/bin/env python3
"""Inputs that cannot be used (hostile_inputs.py): each gives one clear error, exit status 1, and nothing that looks like a run."""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
from pathlib import Path

from hostile_inputs import TABLES
from tools import Failure, Programs, check, checkpoints, fresh, main

# An error of a YAML, of the command line, or a diagnostic with a place in front.
ERROR = re.compile(r"(?:^|: )error: ", re.MULTILINE)
CRASH = re.compile(
    r"terminate called|Stack dump|PLEASE submit a bug report|Assertion|Aborted|Segmentation fault|Exception raised from"
    r"|std::\w+|frame #\d|Sanitizer"
)


def verify(entry, done, log_dir):
    """Throws Failure where this is not how nxdt refuses something."""
    output = f"\n--- exit status {done.returncode}, stdout:\n{done.stdout}--- stderr:\n{done.stderr}"
    check(done.returncode == 1, f"exit status is not 1{output}")
    errors = ERROR.findall(done.stderr)
    check(len(errors) == (entry.errors or max(2, len(errors))), f"{len(errors)} errors, expected are {entry.errors}{output}")
    crash = CRASH.search(done.stdout + done.stderr)
    check(not crash, f"'{crash and crash.group()}' is no message for a user{output}")
    message = done.stderr[ERROR.search(done.stderr).start() :]
    # A message is for reading: a dump of the whole input is none.
    check(len(message) < 2000, f"a message of {len(message)} characters{output}")
    # The file's place stands in front of the word 'error' in a diagnostic.
    place = done.stderr[: ERROR.search(done.stderr).start()].splitlines()[-1:]
    text = (" ".join(place) + message).lower()
    for word in entry.words:
        check(word.lower() in text, f"the message does not say '{word}'{output}")
    if log_dir.is_dir():
        check(entry.trains or not checkpoints(log_dir), f"a checkpoint was left behind{output}")
        leftover = [str(path) for path in log_dir.rglob("*.safetensors")]
        check(not leftover, f"exported weights were left behind: {leftover}{output}")


def try_one(programs, case, work, entry):
    """None, or what is wrong."""
    try:
        folder = fresh(work / entry.name)
        for part in ("config.yaml", "hf", "train"):
            source = case / part
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / part)
        log_dir = folder / "log"
        program, arguments = entry.make(programs, folder)
        # Root may write everywhere; a crash must not leave a core file.
        environment = {**os.environ, **entry.env}
        done = subprocess.run(
            programs.command(program, *arguments), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=120,
        )  # fmt: skip
        verify(entry, done, log_dir)
        shutil.rmtree(folder)
        return None
    except Failure as failure:
        return f"{entry.name}: {failure}"
    except subprocess.TimeoutExpired:
        return f"{entry.name}: did not end within two minutes"


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--table", choices=TABLES, required=True)
    parser.add_argument("--only", help="one entry")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    entries = [entry for entry in TABLES[arguments.table] if arguments.only in (None, entry.name)]
    check(entries, f"no entry is named {arguments.only}")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        wrong = list(filter(None, pool.map(lambda entry: try_one(programs, arguments.case.resolve(), work, entry), entries)))
    check(not wrong, "\n".join(wrong) + f"\n{len(wrong)} of {len(entries)} inputs are not refused as they should be")
    print(f"{len(entries)} inputs refused, each with one clear error")


if __name__ == "__main__":
    main(test)
