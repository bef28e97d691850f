#!/usr/bin/env python3
# Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How many wrong programs are refused before anything runs, and by whom.

    python3 bench/mutation.py [--bin build/bin] [--cases DIR...] [--every N] [--strategies NAME,...] [--out bench/results/mutation.md]

Each case is compiled under those of the strategies below that its layers allow. Of what nxdt-opt made (the phases `sharded`, with
stages `staged`, and `spmd`, the plan without collectives under way, and the plan with them, `overlapped`), every exchange between
ranks and stages, every factor, every declaration and every action of a schedule is broken in each way that nxdt-mutate-ir and
nxdt-mutate-plan know (with --every each N-th). What is not broken must be accepted. A mutant that no verifier refuses goes on to nxdt-run --simulate, which finds where
it differs from one rank, or shows that it is equal: operands of an addition that changed places. Exit status 1 if one is neither.
"""

import argparse
import collections
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VPP = "++virtual_pipeline_model_parallel_size"
RECOMPUTED = {"++activations_checkpoint_granularity": "full"}
STRATEGIES = {
    "tp 2": (2, {"tensor_model_parallel_size": 2}),
    "tp 4, sequence_parallel": (4, {"tensor_model_parallel_size": 4, "sequence_parallel": True}),
    "dp 2, zero1": (2, {"zero1": True}),
    "dp 2, no zero1": (2, {"zero1": False}),
    "tp 2 x dp 2, sequence_parallel, zero1": (4, {"tensor_model_parallel_size": 2, "sequence_parallel": True, "zero1": True}),
    "tp 4 x dp 2, no zero1": (8, {"tensor_model_parallel_size": 4, "zero1": False}),
    "pp 2": (2, {"pipeline_model_parallel_size": 2}),
    "pp 2 x vpp 2": (2, {"pipeline_model_parallel_size": 2, VPP: 2}),
    "pp 2 x tp 2, sequence_parallel, recomputed": (
        4, {"pipeline_model_parallel_size": 2, "tensor_model_parallel_size": 2, "sequence_parallel": True, **RECOMPUTED}),
    "pp 2 x dp 2, zero1": (4, {"pipeline_model_parallel_size": 2, "zero1": True}),
    "pp 2 x vpp 2 x tp 2 x dp 2, sequence_parallel, zero1": (
        8, {"pipeline_model_parallel_size": 2, VPP: 2, "tensor_model_parallel_size": 2, "sequence_parallel": True, "zero1": True}),
    "pp 4 x tp 2, no zero1": (8, {"pipeline_model_parallel_size": 4, "tensor_model_parallel_size": 2, "zero1": False}),
    "pp 4 x vpp 2": (4, {"pipeline_model_parallel_size": 4, VPP: 2}),
}
PHASES = ("sharded", "staged", "spmd", "plan", "overlapped")
SIMULATE, EQUAL = "nxdt-run --simulate", "equal (nxdt-run --simulate)"
# Classes of bugs that training frameworks had again and again, and the mutants that are these bugs.
CLASSES = [
    ("A replicated weight's gradient, a partial sum on each rank, is never reduced (Megatron-LM issue 7452)",
     lambda m: m.phase in ("plan", "overlapped") and m.kind.startswith("delete") and "one rank" not in m.kind and m.place.startswith("finish_step")),
    ("A gradient or loss is reduced twice", lambda m: m.kind in ("reduce twice", "reduce what is whole")),
    ("A gradient carries a factor of tp, or of 1 / dp, too many",
     lambda m: m.kind.startswith(("re-scale", "scale ", "constant "))),
    ("The gradients' norm counts replicated or tied tensors several times, or leaves some out",
     lambda m: "norm" in m.kind or ("reduce twice" in m.kind and m.place.startswith("finish_step"))),
    ("Ranks run collectives in another order, or one of them misses one",
     lambda m: "on one rank" in m.kind or "every other rank" in m.kind),
    ("Stages wait for each other, or a message is lost, late or another's (pytorch issue 172668)",
     lambda m: m.phase == "plan" and m.kind.startswith(("delete a ", "duplicate a ", "wrong micro-batch", "move a ", "exchange ", "channel",
                                                         "send on", "recv on", "wait on"))),
    ("A tied weight's gradient is not summed over the stages that use it, or counted twice", lambda m: m.kind.startswith(("tied weight", "a channel unused"))),
    ("A tensor is read before its collective has ended, or changed before it has been read",
     lambda m: m.kind.startswith(("wait ", "use before", "start before", "an input changed", "a result read"))),
    ("Padding or another rank's rows are summed", lambda m: m.kind == "fill a mask with ones"),
    ("A group of the wrong axes", lambda m: m.kind.startswith("re-axes")),
]
Mutant = collections.namedtuple("Mutant", "phase kind place verifier plan")


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if not line.startswith(("note", "remark", "warning"))]
        sys.exit(f"error: {' '.join(map(str, command))}\n" + "\n".join(errors[:5]))
    return done.stdout


def mutants_of(options, case, strategy, work):
    ranks, keys = STRATEGIES[strategy]
    overrides = [f"trainer.devices={ranks}"]
    for key, value in keys.items():
        section = "model" if "activations" in key else "distributed_strategy"
        overrides.append(("++" if key.startswith("++") else "") + f"{section}.{key.removeprefix('++')}={value}")
    found, survivors = [], work / "survivors"
    survivors.mkdir(exist_ok=True)
    for phase in PHASES:
        if phase == "staged" and "pp" not in strategy:
            continue
        isPlan = phase in ("plan", "overlapped")
        # Mutants of single collectives want these apart.
        overlap = [] if phase == "overlapped" else ["--no-overlap"]
        emit = "plan" if isPlan else phase
        run([options.bin / "nxdt-opt", case / "config.yaml", *overrides, *overlap, f"--emit={emit}", "-o", work / phase])
        if isPlan:
            # What has no start is broken in the plan without them.
            only = ["--only-pending"] if phase == "overlapped" else []
            text = run([options.bin / "nxdt-mutate-plan", work / phase / "plan.json", f"--every={options.every}", f"--survivors={survivors}", *only])
        else:
            text = run([options.bin / "nxdt-mutate-ir", work / phase, f"--phase={phase}", f"--every={options.every}", f"--survivors={survivors}"])
        found += [Mutant(*line.split("\t"))._replace(phase=phase) for line in text.splitlines()]
    return [simulated(options, mutant, work) if mutant.plan != "-" else mutant for mutant in found]


def simulated(options, mutant, work):
    """Who tells the mutant from one rank: nobody if it is equal."""
    folder = work / ("overlapped" if mutant.phase == "overlapped" else "plan")
    whole = (folder / "plan.json").read_text()
    plan, original = json.loads(Path(mutant.plan).read_text()), json.loads(whole)
    # What the IR does not say, the configuration does.
    for stage, known in zip(plan.get("stages", [plan]), original.get("stages", [original])):
        for key in ("device", "libraries", "micro_batch_size", "sequence_length", "vocab_size"):
            stage[key] = known[key]
    (folder / "plan.json").write_text(json.dumps(plan))
    done = subprocess.run([str(options.bin / "nxdt-run"), "--simulate", "--plan", str(folder)], capture_output=True, text=True)
    (folder / "plan.json").write_text(whole)
    last = (done.stderr.splitlines() or [""])[-1]
    if done.returncode == 0 and done.stdout.endswith("simulate: equal\n"):
        return mutant._replace(verifier=EQUAL)
    if done.returncode == 1 and last.startswith("error: simulate: "):
        return mutant._replace(verifier=SIMULATE)
    sys.exit(f"error: nxdt-run --simulate of {mutant}: {last or done.returncode}")


def rate(mutants):
    killed = sum(mutant.verifier not in ("survived", EQUAL) for mutant in mutants)
    equal = sum(mutant.verifier == EQUAL for mutant in mutants)
    text = f"{killed} of {len(mutants) - equal} ({100 * killed / max(len(mutants) - equal, 1):.2f} %)"
    return text + (f", {equal} equal" if equal else "")


def report(options, results):
    everything = [mutant for mutants in results.values() for mutant in mutants]
    lines = ["# Wrong programs, and who refuses them", "",
             f"`python3 bench/mutation.py`, {datetime.date.today()}" + (f", every {options.every}th mutant." if options.every > 1 else "."),
             "What is counted: the head of bench/mutation.py. What each verifier proves: docs/Verification.md.", "",
             f"Refused: {rate(everything)}. Before anything runs: "
             f"{sum(m.verifier not in ('survived', EQUAL, SIMULATE) for m in everything)}; the rest by a simulation.", "",
             "Equal are mutants that compute what they should: they are in no rate.", "", "| case, strategy | refused |", "|---|---|"]
    for (case, strategy), mutants in results.items():
        lines.append(f"| {case}, {strategy} | {rate(mutants)} |")
    verifiers = [*sorted({mutant.verifier for mutant in everything} - {"survived", SIMULATE, EQUAL}), SIMULATE, EQUAL]
    lines += ["", "By the first verifier that refuses:", "", "| phase | " + " | ".join(verifiers) + " | survived |",
              "|---|" + "---|" * (len(verifiers) + 1)]
    for phase in PHASES:
        counts = collections.Counter(mutant.verifier for mutant in everything if mutant.phase == phase)
        lines.append(f"| {phase} | " + " | ".join(str(counts[v]) for v in [*verifiers, "survived"]) + " |")
    lines += ["", "| phase | mutant | refused |", "|---|---|---|"]
    kinds = collections.defaultdict(list)
    for mutant in everything:
        kinds[mutant.phase, mutant.kind].append(mutant)
    for (phase, kind), mutants in sorted(kinds.items()):
        lines.append(f"| {phase} | {kind} | {rate(mutants)} |")
    lines += ["", "Bugs that training frameworks had, as mutants:", "", "| class | refused |", "|---|---|"]
    for name, belongs in CLASSES:
        lines.append(f"| {name} | {rate([mutant for mutant in everything if belongs(mutant)])} |")
    lines += ["", "What only running the program tells (two tensors of one type that lie in the same way, read in each other's stead: no type and no "
                  "factor tells them apart), what is equal, and what nobody found:", ""]
    late = collections.Counter((m.verifier, m.phase, m.kind, " ".join(m.place.split()[:2])) for m in everything if m.verifier in ("survived", SIMULATE, EQUAL))
    lines += [f"- {verifier}: {phase}, {kind}, {place}, {count} times" for (verifier, phase, kind, place), count in sorted(late.items())]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "bin")
    parser.add_argument("--cases", type=Path, nargs="+", default=[ROOT / "test" / "EndToEnd" / "cases" / "bias_linear"])
    parser.add_argument("--strategies", default=",".join(str(i) for i in range(len(STRATEGIES))), help="numbers, from 0")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    names = list(STRATEGIES)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in options.cases:
            layers = json.loads((case / "hf" / "config.json").read_text())["num_hidden_layers"]
            for number in options.strategies.split(","):
                strategy = names[int(number)]
                keys = STRATEGIES[strategy][1]
                if keys.get("pipeline_model_parallel_size", 1) * keys.get(VPP, 1) > layers:
                    continue
                results[case.name, strategy] = mutants_of(options, case, strategy, Path(folder))
                print(f"{case.name}, {strategy}: {rate(results[case.name, strategy])}", flush=True)
    if options.out:
        options.out.write_text(report(options, results))
    everything = [mutant for mutants in results.values() for mutant in mutants]
    unknown = [mutant for mutant in everything if mutant.verifier == "survived"]
    for mutant in unknown:
        print("survived:", *mutant, sep="\t")
    # Not every strategy has every class.
    missing = [] if options.strategies != ",".join(map(str, range(len(STRATEGIES)))) else [
        name for name, belongs in CLASSES if not any(belongs(mutant) for mutant in everything)]
    if missing:
        sys.exit("error: no mutant is of these classes: " + "; ".join(missing))
    sys.exit(1 if unknown else 0)


if __name__ == "__main__":
    main()
