"""What can go wrong in a plan of several ranks, done to its JSON: each function changes a plan and returns what nxdt-run --simulate must say.

Either it is the start of the line that names the first operation that differs, or, for what is refused before anything runs, the
verifier's message, which begins with its name.
"""

import re


class Mutant:
    """A plan under change: frees are derived anew at the end."""

    def __init__(self, plan):
        self.plan = plan

    def program(self, name):
        return next(program for program in self.plan["programs"] if program["name"] == name)

    def find(self, name, op, module="", reason="", axes=None):
        """(program, index) of the first such instruction."""
        program = self.program(name)
        for index, item in enumerate(program["instructions"]):
            if item["op"] == op and module in item["module"] and reason in item.get("reason", "") and (axes is None or item["axes"] == axes):
                return program, index
        raise LookupError(f"no {op} in {name} {module}")

    def finish(self):
        for program in self.plan["programs"]:
            derive_frees(program)
        return self.plan


def references(args):
    for arg in args:
        if isinstance(arg, dict) and "v" in arg:
            yield arg, "v"
        elif isinstance(arg, dict) and "vs" in arg:
            for i in range(len(arg["vs"])):
                yield arg["vs"], i


def uses(item):
    return [holder[key] for holder, key in references(item["args"])] + item.get("grad_outs", [])


def replace_uses(program, old, new, after=-1):
    for item in program["instructions"][after + 1 :]:
        for holder, key in references(item["args"]):
            if holder[key] == old:
                holder[key] = new
        if "grad_outs" in item:
            item["grad_outs"] = [new if value == old else value for value in item["grad_outs"]]


def derive_frees(program):
    seen = set()
    for item in reversed(program["instructions"]):
        touched = sorted({value for value in uses(item) + item["outs"] if value >= 0 and program["values"][value]["buffer"] < 0} - seen)
        seen.update(touched)
        item["frees"] = touched


def said(program, index, text=None):
    return f"{program['name']}, instruction {index}: {text or program['instructions'][index]['op']}"


def refused(program, index, text):
    """What verify-spmd says of an instruction."""
    item = program["instructions"][index]
    return f"verify-spmd: program '{program['name']}', instruction {index}, {item['op']} of {item['module']}: {text}"


def lost_sum(mutant):
    """A row-parallel layer without its all_reduce: what reads the partial sums first is named."""
    program, index = mutant.find("train_step", "nxdt::all_reduce", "layers.1", reason="mlp.down_proj")
    gone = program["instructions"].pop(index)
    replace_uses(program, gone["outs"][0], gone["args"][0]["v"])
    reader = next(i for i, item in enumerate(program["instructions"]) if i >= index and gone["args"][0]["v"] in uses(item))
    return refused(program, reader, "adds operand 0 (split over [dp] in dimension 0) to a term of a sum over [tp]")


def wrong_axis(mutant):
    program, index = mutant.find("train_step", "nxdt::all_reduce", "layers.0", reason="self_attn.o_proj", axes=["tp"])
    program["instructions"][index]["axes"] = ["dp"]
    return refused(program, index, "takes the sum over [dp] of what is split over [dp] in dimension 0, a term of a sum over [tp]")


def halved(mutant):
    """An average where a sum belongs, as an operation between two that the other plan has."""
    program, index = mutant.find("train_step", "nxdt::all_reduce", "layers.1", reason="mlp.down_proj")
    out = program["instructions"][index]["outs"][0]
    value = {**program["values"][out]}
    del value["origin"]
    program["values"].append(value)
    half = len(program["values"]) - 1
    replace_uses(program, out, half, index)
    scale = {"kind": "aten", "op": "aten::mul.Scalar", "args": [{"v": out}, 0.5], "outs": [half], "frees": [], "module": "model.layers.1.mlp"}
    program["instructions"].insert(index + 1, scale)
    reader = next(i for i, item in enumerate(program["instructions"]) if half in uses(item))
    return said(program, reader)


def slice_for_sum(mutant):
    """ZeRO-1's gradients cut, not summed, over the data-parallel ranks."""
    program, index = mutant.find("finish_step", "nxdt::reduce_scatter", "layers.2.mlp.up_proj")
    program["instructions"][index].update(op="nxdt::all_slice")
    return refused(program, index, "cuts over [dp] what is")


def wrong_gather(mutant):
    """Updated parts of a weight, gathered from the wrong ranks."""
    program, index = mutant.find("update_step", "nxdt::all_gather", axes=["dp"])
    program["instructions"][index]["axes"] = ["tp"]
    return refused(program, index, "gathers over [tp]")


def swapped_weights(mutant):
    """Two weights of one shape that lie alike, read in each other's stead: nothing that is proven tells them apart."""
    program, gate = mutant.find("train_step", "aten::linear", "layers.1.mlp.gate_proj")
    _, up = mutant.find("train_step", "aten::linear", "layers.1.mlp.up_proj")
    first, second = (program["instructions"][index]["args"] for index in (gate, up))
    first[1], second[1] = second[1], first[1]
    return said(program, min(gate, up))


def counted_twice(mutant):
    """A gradient that is added twice: the write to the buffer is named."""
    program = mutant.program("train_step")
    for index, item in enumerate(program["instructions"]):
        buffer = mutant.plan["buffers"][program["values"][item["args"][0]["v"]]["buffer"]] if item["op"] == "aten::add_.Tensor" else None
        if buffer and re.search(r"layers\.1\.self_attn\.k_proj", buffer["name"]):
            item["args"][2] = 2
            return said(program, index)
    raise LookupError("no accumulation of k_proj")


def lost_update(mutant):
    """A weight whose update is lost: nothing writes it."""
    program = mutant.program("update_step")
    bound = next(i for i, buffer in enumerate(mutant.plan["buffers"]) if buffer["name"] == "model.norm.weight")
    writes = [item for item in program["instructions"] if item["op"] == "aten::copy_"]
    store = next(item for item in writes if program["values"][item["args"][0]["v"]]["buffer"] == bound)
    program["instructions"].remove(store)
    return "update_step does not write it"


MUTANTS = [lost_sum, wrong_axis, halved, slice_for_sum, wrong_gather, swapped_weights, counted_twice, lost_update]
