#!/usr/bin/env python3
"""scripts/setup.sh where something is missing: what it says, and that it stops. Nothing is installed here."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"


class SetupTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.programs = Path(temporary.name)

    def stub(self, name, text):
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def run_script(self, path, **environment):
        return subprocess.run(
            [shutil.which("bash"), SCRIPT], env={**os.environ, "PATH": path, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    def as_user(self, dpkg_query):
        self.stub("id", "echo 1000")
        self.stub("apt-get", "echo apt-get was called; exit 7")
        self.stub("dpkg-query", dpkg_query)
        return self.run_script(f"{self.programs}:{os.environ['PATH']}", NXDT_CMAKE_ARGS="")

    def test_all_missing(self):
        # As dpkg-query does where it knows none of them.
        done = self.as_user("exit 1")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("apt-get was called", done.stdout + done.stderr)
        (line,) = [line for line in done.stderr.splitlines() if "apt-get install" in line]
        for package in ("libmlir-22-dev", "llvm-22-tools", "ninja-build", "python3-venv"):
            self.assertIn(f" {package}", line)

    def test_one_missing(self):
        # ninja-build was removed but left its configuration; mold is unknown.
        done = self.as_user(
            "shift 2; for p; do case $p in mold) status=1;; ninja-build) echo 'config-files ninja-build';; *) echo \"installed $p\";; esac; done; exit $status"
        )
        self.assertEqual(done.returncode, 1)
        (line,) = [line for line in done.stderr.splitlines() if "apt-get install" in line]
        self.assertTrue(line.endswith("--no-install-recommends ninja-build mold"), line)

    def test_not_debian(self):
        for name in ("bash", "sed", "dirname", "awk", "tr", "cat", "grep"):
            (self.programs / name).symlink_to(shutil.which(name))
        done = self.run_script(str(self.programs), NXDT_CMAKE_ARGS="")
        self.assertEqual(done.returncode, 1)
        for hint in ("not a Debian system", "-DMLIR_DIR=", "-DNXDT_TORCH_DIR=", "-DNXDT_ARROW_DIR="):
            self.assertIn(hint, done.stderr)

    def test_hints_leave_everything_alone(self):
        self.stub("dpkg-query", "exit 1")
        done = self.run_script(f"{self.programs}:{os.environ['PATH']}", NXDT_CMAKE_ARGS="-DMLIR_DIR=/a -DNXDT_TORCH_DIR=/b -DNXDT_ARROW_DIR=/c")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("left alone"), 2)

    def test_unknown_option(self):
        done = subprocess.run([SCRIPT, "--everything"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr.count("error: ")), (1, 1))


if __name__ == "__main__":
    unittest.main()
