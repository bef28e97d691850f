"""Bytes that each rank of a Llama must hold, computed from its config.json and the strategy alone."""

from math import prod

FP32 = 4


def part(size, ranks):
    """Elements of a dimension that each of `ranks` holds, padding included."""
    return -(-size // ranks)


def parameters(model):
    """[(logical shape, dimension that tensor parallelism splits or None, is of the kv heads)] of each stored parameter."""
    hidden, inner, vocab = model["hidden_size"], model["intermediate_size"], model["vocab_size"]
    head = model.get("head_dim") or hidden // model["num_attention_heads"]
    query, kv = model["num_attention_heads"] * head, model["num_key_value_heads"] * head
    # (out, in, split dimension of the weight, kv heads, has a bias): a column-parallel linear splits its rows and its
    # bias; a row-parallel one its columns, and its bias is whole.
    attention, mlp = model["attention_bias"], model["mlp_bias"]
    linears = [
        (query, hidden, 0, False, attention), (kv, hidden, 0, True, attention), (kv, hidden, 0, True, attention),
        (hidden, query, 1, False, attention),
        (inner, hidden, 0, False, mlp), (inner, hidden, 0, False, mlp), (hidden, inner, 1, False, mlp),
    ]  # fmt: skip
    norm = ((hidden,), None, False)
    layer = [norm, norm]
    for out, inputs, split, is_kv, has_bias in linears:
        layer.append(((out, inputs), split, is_kv))
        if has_bias:
            layer.append(((out,), 0 if split == 0 else None, is_kv))
    rows = [((vocab, hidden), 0, False)] * (1 if model["tie_word_embeddings"] else 2)
    return rows + layer * model["num_hidden_layers"] + [norm]


def bytes_per_rank(model, strategy, kv_replicator):
    """{"param", "opt_state", "grad"}: bytes of weights, of AdamW's two moments, and of gradients.

    A gradient is accumulated beside the whole local weight. Where ranks hold terms of a sum (over dp; over tp, for what
    sequence parallelism gives each rank a part of the tokens of), the sum has a place of its own: the part that the rank
    updates. ZeRO-1 splits dimension 0 over dp, within the part that tp gives.
    """
    bytes_ = {"param": 0, "opt_state": 0, "grad": 0}
    for shape, split, is_kv in parameters(model):
        local = list(shape)
        if split is not None:
            local[split] = part(local[split], strategy.tp // (kv_replicator if is_kv else 1))
        owned = list(local)
        if strategy.zero1:
            owned[0] = part(owned[0], strategy.dp)
        is_partial = strategy.dp > 1 or (strategy.sequence_parallel and strategy.tp > 1 and split is None)
        bytes_["param"] += FP32 * prod(local)
        bytes_["opt_state"] += 2 * FP32 * prod(owned)
        bytes_["grad"] += FP32 * (prod(local) + (prod(owned) if is_partial else 0))
    return bytes_


def copies(model, strategy):
    """What tied embeddings add with stages: the last has a copy of the weight, and accumulates its part of the gradient."""
    bytes_ = {"param": 0, "opt_state": 0, "grad": 0}
    if strategy.pp > 1 and model["tie_word_embeddings"]:
        size = FP32 * part(model["vocab_size"], strategy.tp) * model["hidden_size"]
        bytes_["param"], bytes_["grad"] = size, size
    return bytes_


def bytes_in_plan(plan):
    """The same of a plan's buffers."""
    roles = {"param": "param", "master": "param", "opt_state": "opt_state", "grad": "grad", "reduced_grad": "grad"}
    bytes_ = {"param": 0, "opt_state": 0, "grad": 0}
    for buffer in plan["buffers"]:
        if buffer["role"] in roles:
            assert buffer["dtype"] == "f32", buffer["name"]
            bytes_[roles[buffer["role"]]] += FP32 * prod(buffer["shape"])
    return bytes_
