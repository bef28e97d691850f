"""What must hold of the plan that a run was trained from: ranks hold parts, not copies."""

from closed_form import bytes_in_plan, bytes_per_rank, copies, part
from tools import check


def stages_of(plan):
    return plan.get("stages", [plan])


def steps_of(plan):
    """The programs of a micro-batch: train_step, or those of all chunks."""
    programs = [entry for stage in stages_of(plan) for entry in stage["programs"]]
    return [entry for entry in programs if entry["name"] == "train_step" or entry["name"].startswith(("forward.", "backward."))]


def summed(parts):
    return {key: sum(part[key] for part in parts) for key in parts[0]}


def check_bytes(plan, case, strategy):
    """A rank of each stage together: what one would hold without stages."""
    whole = bytes_per_rank(case.model, strategy, case.kv_replicator(strategy.tp))
    wanted = summed([whole, copies(case.model, strategy)])
    found = summed([bytes_in_plan(stage) for stage in stages_of(plan)])
    check(found == wanted, f"bytes per rank are {found}, by the closed form {wanted}")


def check_logits(plan, case, strategy):
    """With tp > 1 no rank has a tensor whose last dimension is the vocabulary, padded or not; with tp 1 there is one."""
    vocab = case.model["vocab_size"]
    padded = strategy.tp * part(vocab, strategy.tp)
    shapes = [value["shape"] for program in steps_of(plan) for value in program["values"]]
    # A vector of all class numbers is not logits.
    whole = [shape for shape in shapes if len(shape) > 1 and shape[-1] in (vocab, padded)]
    if strategy.tp > 1:
        check(not whole, f"train_step has values with the whole vocabulary: {whole}")
    else:
        check(whole, "train_step of one tensor-parallel rank has no logits: this check looks for the wrong thing")


def check_collectives(plan, case, strategy):
    """The all_reduces in the layers, forward and backward, are as many as Megatron's, and recomputation adds none."""
    layers, replicated = case.model["num_hidden_layers"], case.kv_replicator(strategy.tp) > 1
    whole, parts = 0, 0
    for instruction in [entry for program in steps_of(plan) for entry in program["instructions"]]:
        if instruction["kind"] not in ("collective", "start") or instruction["op"] != "nxdt::all_reduce" or not instruction["module"].startswith("model.layers."):
            continue
        check("dp" not in instruction["axes"], f"train_step reduces over dp in every micro-batch: {instruction['reason']}")
        if instruction["axes"] == ["tp"]:
            whole += 1
        else:
            parts += 1
    # Two row-parallel linears forward and two inputs of column-parallel ones backward; the embedding's sum is at the
    # first layer.
    wanted = 4 * layers + 1 if strategy.tp > 1 and not strategy.sequence_parallel else 0
    check(whole == wanted, f"{whole} all_reduces over tp are in the layers, not {wanted}")
    check(replicated or parts == 0, f"{parts} all_reduces over a part of tp are in the layers, but no kv head is replicated")


def check_plan(plan, case, strategy):
    stages = stages_of(plan)
    check(len(stages) == strategy.pp, f"the plan has {len(stages)} stages")
    for stage in stages:
        mesh = dict(stage["mesh"])
        found = (mesh["pp"], mesh["tp"], mesh["dp"])
        check(found == (strategy.pp, strategy.tp, strategy.dp), f"the plan's mesh is {mesh}")
        check(stage["micro_batch_size"] == strategy.micro_batch_size, f"the plan's micro-batch is {stage['micro_batch_size']}")
    check_bytes(plan, case, strategy)
    check_logits(plan, case, strategy)
    check_collectives(plan, case, strategy)
    if strategy.pp > 1:
        check_stages(stages, case)


def check_stages(stages, case):
    """Each layer's weights lie on one stage, and what crosses a border is one tensor per direction."""
    layers = case.model["num_hidden_layers"]
    held = [{name.split(".")[2] for name in names_of(stage) if name.startswith("model.layers.")} for stage in stages]
    check(all(held), "a stage has no layer")
    check(sum(map(len, held)) == layers, f"layers lie on stages as {held}, but the model has {layers}")
    for number, stage in enumerate(stages):
        channels = [entry["name"] for entry in stage["channels"] if entry["direction"] == "send" and entry["name"].startswith(("act", "grad"))]
        borders = [name.split(".")[-1] for name in channels]
        check(len(borders) == len(set(borders)), f"stage {number} sends more than one tensor over a border: {channels}")


def names_of(stage):
    return [buffer["name"] for buffer in stage["buffers"] if buffer["role"] == "param"]
