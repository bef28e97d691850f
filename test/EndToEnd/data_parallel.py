"""Turns the plan of one rank into one of several data-parallel ranks, as a compiler would, but by hand.

Nothing of the model changes: gradients, losses and counts are summed over the ranks at the end of a step. With `zero1` each rank keeps and
updates its rows of the optimizer's state only, and the rows of the weights are gathered after the update.
"""

import copy
import json

SUMS = {"finish_step": ("loss_sum", "token_count"), "finish_eval": ("val_loss_sum", "val_token_count")}


def collective(kind, value, out, reason):
    return {
        "kind": "collective", "op": f"nxdt::{kind}", "args": [{"v": value}], "outs": [out], "reduction": "sum", "axes": ["dp"], "dim": 0,
        "reason": reason, "frees": [], "module": "data_parallel",
    }  # fmt: skip


def split_rows(buffer, ranks):
    assert buffer["shape"][0] % ranks == 0, buffer["name"]
    buffer["shape"] = [buffer["shape"][0] // ranks, *buffer["shape"][1:]]
    buffer["split"] = [["dp"], *buffer["split"][1:]]


def data_parallel(plan, ranks, zero1=False):
    plan = copy.deepcopy(plan)
    buffers, programs = plan["buffers"], {program["name"]: program for program in plan["programs"]}
    for axis in plan["mesh"]:
        if axis[0] == "dp":
            axis[1] = ranks
    for buffer in buffers:
        if buffer["role"] == "input" and buffer["shape"]:
            buffer["logical_shape"] = [buffer["shape"][0] * ranks, *buffer["shape"][1:]]
            buffer["split"] = [["dp"], []]
        if buffer["role"] == "grad":
            buffer["partial"] = ["dp"]
    for name, sums in SUMS.items():
        program = programs[name]
        reductions = []
        for index, value in enumerate(program["values"]):
            buffer = buffers[value["buffer"]] if value["buffer"] >= 0 else None
            if buffer and (buffer["role"] == "grad" or buffer["name"] in sums):
                reductions.append(collective("all_reduce", index, index, f"sum of {buffer['name']}"))
        program["instructions"][:0] = reductions
    if zero1:
        shard_optimizer(plan, programs["update_step"], ranks)
    return plan


def shard_optimizer(plan, program, ranks):
    """Adam on rows: a copy of the rank's rows of weight and gradient, then an all_gather into the weight."""
    buffers, values, instructions = plan["buffers"], program["values"], []
    for buffer in buffers:
        if buffer["role"] == "opt_state":
            split_rows(buffer, ranks)
    for value in values:
        if value["buffer"] >= 0 and buffers[value["buffer"]]["role"] == "opt_state":
            value["shape"] = buffers[value["buffer"]]["shape"]

    def rows_of(value, suffix, role):
        """A buffer for the rank's rows of `value`, filled."""
        whole = buffers[values[value]["buffer"]]
        rows = copy.deepcopy(whole)
        split_rows(rows, ranks)
        rows.update(name=f"{whole['name']}.{suffix}", role=role, partial=[], init={"kind": "none", "a": 0.0, "b": 0.0})
        if role == "scalar":
            rows.update(param="", state="")
        plan["memory"]["grad_bytes" if role == "reduced_grad" else "other_bytes"] += 4 * elements(rows["shape"])
        buffers.append(rows)
        values.append({"dtype": rows["dtype"], "shape": rows["shape"], "buffer": len(buffers) - 1})
        instructions.append(collective("all_slice", value, len(values) - 1, f"own rows of {whole['name']}"))
        return len(values) - 1

    for instruction in program["instructions"]:
        if "_fused_adamw_" not in instruction["op"]:
            instructions.append(instruction)
            continue
        instruction = copy.deepcopy(instruction)
        weight, gradient = instruction["args"][0]["vs"][0], instruction["args"][1]["vs"][0]
        rows = rows_of(weight, "rows", "scalar")
        instruction["args"][0]["vs"], instruction["args"][1]["vs"] = [rows], [rows_of(gradient, "reduced", "reduced_grad")]
        instructions += [instruction, collective("all_gather", rows, weight, "rows that others have updated")]
    program["instructions"] = instructions
    plan["memory"]["opt_state_bytes"] = sum(4 * elements(buffer["shape"]) for buffer in buffers if buffer["role"] == "opt_state")


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def write(plan, folder):
    (folder / "plan.json").write_text(json.dumps(plan))
