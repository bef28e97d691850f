#!/usr/bin/env python3
"""Compiled pipelines from their YAML: interrupted and resumed bit for bit, re-cut for other strategies, refused where no schedule can be."""

import argparse
import json
import shutil
from pathlib import Path

from compare import compare_steps, compare_weights
from tools import Programs, check, checkpoints, export, fresh, main, read_folder, read_metrics, read_safetensors

PP, TP = "distributed_strategy.pipeline_model_parallel_size", "distributed_strategy.tensor_model_parallel_size"
VPP = "++distributed_strategy.virtual_pipeline_model_parallel_size"
TWO = ["trainer.devices=2", f"{PP}=2"]
RESUME = "++exp_manager.resume_if_exists=True"
KEEP = ["exp_manager.checkpoint_callback_params.every_n_train_steps=4", "exp_manager.checkpoint_callback_params.save_top_k=-1"]


def train(programs, case, log, *overrides):
    return programs.succeed("nxdt-run", case / "config.yaml", f"exp_manager.explicit_log_dir={log}", *KEEP, *overrides)


def same_weights(a, b):
    check(a.keys() == b.keys(), f"{sorted(a.keys() ^ b.keys())} are in one export only")
    different = [name for name in a if a[name] != b[name]]
    check(not different, f"not the same bits: {different}")


def resumed(programs, case, work):
    """Stopped after some steps and gone on with: the bits of a run that was not."""
    train(programs, case, work / "whole", *TWO)
    steps = len(read_metrics(work / "whole")[0])
    train(programs, case, work / "parts", *TWO, f"trainer.max_steps={steps - 4}")
    done = train(programs, case, work / "parts", *TWO, RESUME)
    check("continues" in done.stdout, f"the second part does not say that it continues:\n{done.stdout}")
    whole = read_folder(export(programs, work / "whole", work / "hf-whole"))
    same_weights(whole, read_folder(export(programs, work / "parts", work / "hf-parts")))
    kept = ("step", "loss", "grad_norm", "lr")
    of = [[{key: line[key] for key in kept} for line in read_metrics(work / name)[0]] for name in ("whole", "parts")]
    check(of[0] == of[1], "the resumed run's losses are others")
    print(f"resumed after {steps - 4} of {steps} steps: the same bits")
    return whole


def recut(programs, case, work, whole):
    """The checkpoint in the middle of the run, on tensor-parallel ranks: by hand, and by itself when resumed there."""
    overrides = ["trainer.devices=2", f"{PP}=1", f"{TP}=2"]
    middle = next(path for path in checkpoints(work / "whole") if "=4-" in path.name)
    files = sorted(path.name for path in (middle / "model").iterdir())
    check(files == [f"dp_rank_00_tp_rank_00_pp_rank_0{stage}.pt" for stage in (0, 1)], f"a stage each has a file of weights, not {files}")
    log = work / "recut"
    (log / "checkpoints").mkdir(parents=True)
    programs.succeed("nxdt-opt", case / "config.yaml", *overrides, "--emit=plan", "-o", work / "tp2")
    programs.succeed("nxdt-ckpt", "reshard", middle, work / "tp2", log / "checkpoints" / middle.name)
    train(programs, case, log, *overrides, RESUME)
    expected = json.loads((case / "expected.json").read_text())
    lines = read_metrics(log)[0]
    check(lines[0]["step"] == 5, f"the re-cut run begins with step {lines[0]['step']}: it has not gone on")
    apart = compare_steps([*read_metrics(work / "whole")[0][:4], *lines], expected["steps"], expected["run"]["gbs"])
    out = read_folder(export(programs, log, work / "hf-recut"))
    largest, beyond = compare_weights(out, read_safetensors(case / "final.safetensors"))
    check(out.keys() == whole.keys(), "the export has other tensors")
    print(f"re-cut from two stages to two tensor-parallel ranks: apart by loss {apart['loss']:.1e}, weights {largest:.1e}, {beyond} beyond 1e-5")


def refused(programs, case, work):
    layers = json.loads((case / "hf" / "config.json").read_text())["num_hidden_layers"]
    for overrides, message in [
        (["trainer.devices=16", f"{PP}=16"], f"16 * 1 = 16 are more than the {layers} layers of the model"),
        ([*TWO, f"{VPP}=2", "data.micro_batch_size=8"], "1 % 2 = 1; nearest: 2 micro-batches"),
        ([*TWO, "data.micro_batch_size=8"], "1f1b with 2 stages needs at least 2 micro-batches, not 1"),
        ([*TWO, "++model.pipeline_cuts=[model.layers.99]"], "'model.layers.99' is no layer of the model; they are model.layers.0 to"),
        ([*TWO, f"++model.pipeline_cuts=[model.layers.{layers - 1}]"], "every chunk holds a layer"),
        ([*TWO, "++model.pipeline_cuts=[model.layers.0,model.layers.1]"], "names 2 cuts; pipeline * virtual - 1 = 1 are needed"),
    ]:
        done = programs.run("nxdt-opt", case / "config.yaml", *overrides, "--report")
        check(done.returncode == 1, f"{overrides}: exit status {done.returncode}")
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        check(len(errors) == 1 and message in errors[0], f"{overrides}: expected '{message}':\n{done.stderr}")
    done = programs.run("nxdt-opt", case / "config.yaml", *TWO, "--emit=plan", "-o", work / "plan")
    check(done.returncode == 0, done.stderr)
    done = programs.run("nxdt-run", "--plan", work / "plan", "data.global_batch_size=4", f"exp_manager.explicit_log_dir={work}/other")
    check(done.returncode == 1 and "data.global_batch_size" in done.stderr, f"another global batch than the schedule's:\n{done.stderr}")
    print("what no schedule can be is refused")


def damaged(programs, case, work):
    """Plans of stages that would give a wrong norm, or wait for ever, are refused by name before a step."""
    programs.succeed("nxdt-opt", case / "config.yaml", "trainer.devices=4", f"{PP}=2", "--emit=plan", "-o", work / "sound")
    text = (work / "sound" / "plan.json").read_text()

    def refuses(name, change, message):
        plan = json.loads(text)
        check(change(plan["stages"]), f"{name}: nothing to damage")
        shutil.copytree(work / "sound", work / name)
        (work / name / "plan.json").write_text(json.dumps(plan))
        done = programs.run("nxdt-run", "--plan", work / name, f"exp_manager.explicit_log_dir={work}/log-{name}")
        check(done.returncode == 1 and message in done.stderr, f"{name}: expected '{message}', exit status {done.returncode}:\n{done.stderr}")
        check("step 1/" not in done.stdout, f"{name}: has trained")

    def own_stage_only(stages):
        """The norm is that of a stage's own gradients."""
        found = 0
        for stage in stages:
            finish = next(program for program in stage["programs"] if program["name"] == "finish_step")
            for instruction in finish["instructions"]:
                if instruction["kind"] in ("collective", "start") and "square_sum" in instruction["reason"]:
                    instruction["axes"].remove("pp")
                    found += 1
        return found == len(stages)

    def wait_first(stages):
        """The first stage wants the gradient before it has sent what it is made of: wait right after the receive, before the send."""
        actions = next(schedule for schedule in stages[0]["schedules"] if schedule["name"] == "train_step")["actions"]
        receive = next(action for action in actions if action.startswith("recv grad"))
        wait = receive.replace("recv", "wait")
        rest = [action for action in actions if action not in (receive, wait)]
        actions[:] = [receive, wait, *rest]
        return True

    refuses("norm", own_stage_only, "verify-spmd: program 'finish_step'")
    refuses("circle", wait_first, "verify-comm: collectives that never end; each rank waits for the next")
    print("damaged plans are refused")


def shown(programs, case):
    text = programs.succeed("nxdt-opt", case / "config.yaml", *TWO, f"{VPP}=2", "--emit=schedule").stdout
    for wanted in ("# train_step, interleaved", "# eval_step, forward-only", "# stage 0  0F0", "run forward.3 0", "bubble"):
        check(wanted in text, f"--emit=schedule has no '{wanted}':\n{text[:2000]}")
    cut = programs.succeed("nxdt-opt", case / "config.yaml", *TWO, "++model.pipeline_cuts=[model.layers.0]", "--report").stdout
    check("model.layers.1 to " in cut, f"the second stage begins elsewhere than the cut says:\n{cut}")
    print("schedule and cuts are shown")


def test():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    programs, case, work = Programs(arguments.bin), arguments.case.resolve(), fresh(arguments.work.resolve())
    shown(programs, case)
    refused(programs, case, work)
    damaged(programs, case, work)
    recut(programs, case, work, resumed(programs, case, work))


if __name__ == "__main__":
    main(test)
