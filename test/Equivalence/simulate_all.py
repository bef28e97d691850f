#!/usr/bin/env python3
"""The whole product of the equivalence table under nxdt-run --simulate: every legal strategy of every reference run, two steps each.

What is compared is more than a process per rank shows: every gradient, weight and optimizer state after each step, and replicas
bit for bit. --minutes ends it early, with the runs spread over the product.
"""

import argparse
import math
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "EndToEnd"))

from equivalence import cases_of, validation  # noqa: E402
from strategies import product  # noqa: E402
from tools import Programs, check, fresh, main  # noqa: E402

KINDS = ("loss", "grad_norm", "gradients", "parameters", "optimizer state", "val_loss")
HEAD = f"| case | strategy | {' | '.join(KINDS)} | s |\n|---|---|{'---|' * (len(KINDS) + 1)}\n"


def spread(runs):
    """The same runs in an order whose beginning is spread over all of them: a step that shares no factor with their number."""
    step = next(step for step in range(int(len(runs) * 0.618), len(runs) + 2) if math.gcd(step, len(runs)) == 1)
    return [runs[number * step % len(runs)] for number in range(len(runs))]


def distances(output):
    """{kind: largest difference} of a simulation's table."""
    return {kind: float(value) for kind, value in re.findall(r"^  ([a-z_ ]+?) +(\d\.\de[-+]\d+) +\d+ compared", output, re.MULTILINE)}


def simulate(programs, work, case, strategy):
    """The distances, and what is wrong; nothing if all is equal."""
    done = programs.run("nxdt-run", "--simulate", case.folder / "config.yaml", *strategy.overrides(case), *validation(case), cwd=work)
    found = distances(done.stdout)
    if done.returncode != 0 or not done.stdout.endswith("simulate: equal\n"):
        return found, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    missing = [kind for kind in KINDS if kind not in found]
    return found, f"nothing was compared of: {', '.join(missing)}\n{done.stdout}" if missing else ""


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--cases", type=Path, required=True, help="a folder of reference runs, the project's own")
    parser.add_argument("--golden", type=Path, help="another one; told and left out where it is missing")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pipelines", action="store_true", help="strategies with stages, instead of those without")
    parser.add_argument("--minutes", type=float, help="begins no run after that")
    parser.add_argument("--table", type=Path, help="each run's distances as a line of this file")
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    runs, left_out = product(cases_of(arguments), arguments.pipelines)
    for reason, count in left_out.items():
        print(f"not legal, {count} combinations: {reason}", flush=True)
    if arguments.table:
        arguments.table.write_text(HEAD)
    began, failures, done, largest = time.monotonic(), [], 0, {}
    for case, strategy in spread(runs):
        start = time.monotonic()
        if arguments.minutes and start - began > 60 * arguments.minutes:
            break
        found, wrong = simulate(programs, work, case, strategy)
        done += 1
        seconds = time.monotonic() - start
        if wrong:
            failures.append(f"{case.name}, {strategy}")
            print(f"{done}/{len(runs)} FAILED {failures[-1]}: {wrong}", flush=True)
            continue
        largest = {kind: max(found[kind], largest.get(kind, 0.0)) for kind in KINDS}
        print(f"{done}/{len(runs)} {case.name}, {strategy}: equal, {seconds:.1f} s", flush=True)
        if arguments.table:
            with arguments.table.open("a") as table:
                table.write(f"| {case.name} | {strategy} | {' | '.join(f'{found[kind]:.1e}' for kind in KINDS)} | {seconds:.1f} |\n")
    apart = ", ".join(f"{kind} {value:.1e}" for kind, value in largest.items())
    print(f"{done - len(failures)} of {done} simulations are equal ({len(runs)} in the product), {time.monotonic() - began:.0f} s; largest: {apart}")
    check(not failures, f"{len(failures)} of {done} simulations: " + "; ".join(failures))


if __name__ == "__main__":
    main(test)
