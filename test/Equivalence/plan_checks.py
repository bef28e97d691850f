"""What must hold of the plan that a run was trained from: ranks hold parts, not copies."""

from closed_form import bytes_in_plan, bytes_per_rank, part
from tools import check


def program(plan, name):
    return next(entry for entry in plan["programs"] if entry["name"] == name)


def check_bytes(plan, case, strategy):
    wanted, found = bytes_per_rank(case.model, strategy, case.kv_replicator(strategy.tp)), bytes_in_plan(plan)
    check(found == wanted, f"bytes per rank are {found}, by the closed form {wanted}")


def check_logits(plan, case, strategy):
    """With tp > 1 no rank has a tensor whose last dimension is the vocabulary, padded or not; with tp 1 there is one."""
    vocab = case.model["vocab_size"]
    padded = strategy.tp * part(vocab, strategy.tp)
    shapes = [value["shape"] for value in program(plan, "train_step")["values"]]
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
    for instruction in program(plan, "train_step")["instructions"]:
        if instruction["kind"] != "collective" or instruction["op"] != "nxdt::all_reduce" or not instruction["module"].startswith("model.layers."):
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
    mesh = dict(plan["mesh"])
    check((mesh["tp"], mesh["dp"]) == (strategy.tp, strategy.dp), f"the plan's mesh is {mesh}")
    check(plan["micro_batch_size"] == strategy.micro_batch_size, f"the plan's micro-batch is {plan['micro_batch_size']}")
    check_bytes(plan, case, strategy)
    check_logits(plan, case, strategy)
    check_collectives(plan, case, strategy)
