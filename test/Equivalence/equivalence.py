#!/usr/bin/env python3
"""Trains reference runs under many strategies, one process per rank, and wants what one device gives.

Each run must have the reference's loss, gradient norm and rate in every step and its final weights, the val_loss of the
same case on one rank, a plan whose ranks hold parts and not copies (plan_checks.py), and groups that counted the bytes that
nxdt-opt --report predicts (traffic.py).
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "EndToEnd"))

from golden import prove  # noqa: E402
from plan_checks import check_plan  # noqa: E402
from strategies import Case, Strategy, pairwise, product  # noqa: E402
from tools import Failure, Programs, check, fresh, main, read_metrics  # noqa: E402
from traffic import compare_all, tables  # noqa: E402

VAL_LOSS_RELATIVE = 2e-6


def validation(case):
    """The first training rows as a validation set too: in the middle of the run and at its end."""
    return [
        f"++data.val_dir={case.folder}/train",
        "trainer.limit_val_batches=4",
        f"trainer.val_check_interval={case.steps // 2}",
        "++trainer.check_val_every_n_epoch=null",
    ]


def check_traffic(programs, case, strategy, keys, printed):
    """What the run counted is what the report says; one rank moves nothing."""
    if strategy.ranks == 1:
        check("bytes per step" not in printed, f"one rank moves something:\n{printed}")
        return
    told = json.loads(programs.succeed("nxdt-opt", case.folder / "config.yaml", "--report=json", *keys).stdout)
    compare_all(told, tables(printed))


def train(programs, work, case, strategy, overrides=()):
    """(largest distances as golden.prove has them, [val_loss]) of one run whose plan holds what it must."""
    folder = work / strategy.folder(case)
    keys = [*strategy.overrides(case), *validation(case), *overrides]
    apart = prove(programs, case.folder, folder, keys)
    check_traffic(programs, case, strategy, keys, (folder / "printed").read_text())
    check_plan(json.loads((folder / "log" / "plan" / "plan.json").read_text()), case, strategy)
    evaluations = [line["val_loss"] for line in read_metrics(folder / "log")[1]]
    check(len(evaluations) == 2, f"{len(evaluations)} evaluations, expected are 2")
    return apart, evaluations


def compare_evaluations(evaluations, one_rank):
    largest = 0.0
    for value, wanted in zip(evaluations, one_rank, strict=True):
        distance = abs(value - wanted) / wanted
        check(distance <= VAL_LOSS_RELATIVE, f"val_loss is {value!r}, on one rank {wanted!r}: apart by {distance:.3g}, allowed are {VAL_LOSS_RELATIVE:g}")
        largest = max(largest, distance)
    return largest


HEAD = (
    "| case | pp | vpp | tp | dp | zero1 | sequence parallel | recomputation | micro-batch | loss | grad_norm | lr | weights | val_loss | s |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def row(case, strategy, apart, val_loss, seconds):
    distances, weights, _ = apart
    cells = [
        case.name, strategy.pp, strategy.vpp, strategy.tp, strategy.dp, strategy.zero1, strategy.sequence_parallel, strategy.recomputation, strategy.micro_batch_size,
        *(f"{distances[key]:.1e}" for key in ("loss", "grad_norm", "lr")), f"{weights:.1e}", f"{val_loss:.1e}", f"{seconds:.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |\n"


def cases_of(arguments):
    cases = [Case(path.parent) for path in sorted(arguments.cases.glob("*/expected.json"))]
    check(cases, f"{arguments.cases} has no reference run")
    golden = [Case(path.parent) for path in sorted(arguments.golden.glob("*/expected.json"))] if arguments.golden else []
    if not golden:
        print(f"left out: {arguments.golden} has no reference run, so the project's own are all (and tp 8 needs more heads than they have)", flush=True)
    return golden + cases


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--cases", type=Path, required=True, help="a folder of reference runs, the project's own")
    parser.add_argument("--golden", type=Path, help="another one; told and left out where it is missing")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pipelines", action="store_true", help="strategies with stages, instead of those without")
    parser.add_argument("--cover", choices=("pairwise", "full"), default="pairwise")
    parser.add_argument("--only", default="", help="runs whose folder's name contains this")
    parser.add_argument("--skip", type=int, default=0, help="so many runs from the first are left out")
    parser.add_argument("--table", type=Path, help="each run's distances as a line of this file")
    arguments = parser.parse_args()
    programs, work = Programs(arguments.bin), fresh(arguments.work.resolve())
    cases = cases_of(arguments)
    runs, left_out = product(cases, arguments.pipelines)
    for reason, count in left_out.items():
        print(f"not legal, {count} combinations: {reason}", flush=True)
    if arguments.cover == "pairwise":
        runs = pairwise(cases, arguments.pipelines)
    runs = [run for run in runs if arguments.only in run[1].folder(run[0])][arguments.skip :]
    check(runs, f"no run's name contains '{arguments.only}'")
    if arguments.table:
        arguments.table.write_text(HEAD)

    one_rank, failures, began = {}, [], time.monotonic()
    for number, (case, strategy) in enumerate(runs, 1):
        start = time.monotonic()
        try:
            if case.name not in one_rank:
                one_rank[case.name] = train(programs, work / "one-rank", case, Strategy(1, 1, True, False, "off", 1))[1]
                start = time.monotonic()
            apart, evaluations = train(programs, work, case, strategy)
            val_loss = compare_evaluations(evaluations, one_rank[case.name])
        except Failure as failure:
            failures.append(f"{case.name}, {strategy}")
            print(f"{number}/{len(runs)} FAILED {failures[-1]}: {failure}", flush=True)
            continue
        seconds = time.monotonic() - start
        distances, weights, beyond = apart
        print(
            f"{number}/{len(runs)} {case.name}, {strategy}: loss {distances['loss']:.1e}, grad_norm {distances['grad_norm']:.1e}, "
            f"lr {distances['lr']:.1e}, weights {weights:.1e} ({beyond} beyond 1e-5), val_loss {val_loss:.1e}, {seconds:.1f} s",
            flush=True,
        )
        if arguments.table:
            with arguments.table.open("a") as table:
                table.write(row(case, strategy, apart, val_loss, seconds))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{len(runs) - len(failures)} of {len(runs)} runs are equal, {time.monotonic() - began:.0f} s "
        f"({used.ru_utime + used.ru_stime:.0f} s of all cores)"
    )
    check(not failures, f"{len(failures)} of {len(runs)} runs: " + "; ".join(failures))


if __name__ == "__main__":
    main(test)
