#!/usr/bin/env python3
"""No executable links the other side: nxdt-run and nxdt-ckpt neither MLIR nor LLVM, nxdt-opt no libtorch."""

import argparse
import re
import subprocess

from tools import Programs, check, main

FORBIDDEN = {
    "nxdt-run": r"MLIR|LLVM",
    "nxdt-ckpt": r"MLIR|LLVM",
    "nxdt-opt": r"torch|libc10|libarrow",
}


def libraries(program):
    """Everything that the loader would bring in, libraries of libraries too."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    check("not found" not in done.stdout, f"{program}: a library is not found\n{done.stdout}")
    return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    programs = Programs(parser.parse_args().bin)
    for name, forbidden in FORBIDDEN.items():
        found = libraries(programs.path(name))
        # A list that lacks even libc was not read right.
        check(any(library.startswith("libc.so") for library in found), f"{name}: ldd lists {found}")
        wrong = [library for library in found if re.search(forbidden, library)]
        check(not wrong, f"{name} links {wrong}")
        print(f"{name}: {len(found)} libraries, none of {forbidden}")
    done = subprocess.run(["nm", "-C", "--defined-only", programs.path("nxdt-run")], capture_output=True, text=True, check=True)
    own = [line for line in done.stdout.splitlines() if re.search(r" [A-Zi] (gloo::|c10d::GlooStore)", line)]
    check(not own, f"nxdt-run defines symbols of Gloo: {own[:5]}")


if __name__ == "__main__":
    main(test)
