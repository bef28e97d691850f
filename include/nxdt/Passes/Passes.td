//===- Passes.td - every pass, in pipeline order -----------*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PASSES
#define NXDT_PASSES

include "mlir/Pass/PassBase.td"

def Functionalize : Pass<"functionalize", "::mlir::ModuleOp"> {
  let summary = "Make views and in-place operators pure";
  let description = [{
    As captured, values are tensor objects that share storage: operators mutate
    operands (`mutates`) and results alias operands (`views`). Afterwards every
    value is what it was computed to be and neither attribute is left:
    - an in-place operator becomes its pure counterpart;
    - a write through a view becomes a write to what is viewed, by the view's
      inverse (`slice_scatter`, `select_scatter`, a reshape, ...);
    - a view is made again where it is read after such a write, `view` as
      `reshape`, as the new value may have other strides;
    - a written `buffer` argument becomes a result bound to that buffer.

    Grad mode is kept. Reported, all at once and at their module: operators and
    views without a known pure form, writes to parameters and inputs, writes
    through `expand`, and writes whose gradient autograd would not see.

    Input:
    ```mlir
    func.func @forward(%x: tensor<2x4xf32> {nxdt.buffer = @x}, %n: tensor<2xf32> {nxdt.buffer = @n}) -> tensor<2x4xf32> {
      %y = nxdt.aten "aten::exp"(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
      %0 = nxdt.aten "aten::select.int"(%y, 0, 1) {views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
      %1 = nxdt.aten "aten::mul_.Scalar"(%0, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
      %2 = nxdt.aten "aten::add_.Scalar"(%n, 1, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
      return %y : tensor<2x4xf32>
    }
    ```
    Output:
    ```mlir
    func.func @forward(%x: tensor<2x4xf32> {nxdt.buffer = @x}, %n: tensor<2xf32> {nxdt.buffer = @n})
        -> (tensor<2x4xf32>, tensor<2xf32> {nxdt.buffer = @n}) {
      %0 = nxdt.aten "aten::exp"(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
      %1 = nxdt.aten "aten::select.int"(%0, 0, 1) : (tensor<2x4xf32>) -> tensor<4xf32>
      %2 = nxdt.aten "aten::mul.Scalar"(%1, 2.0) : (tensor<4xf32>) -> tensor<4xf32>
      %3 = nxdt.aten "aten::select_scatter"(%0, %2, 0, 1) : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
      %4 = nxdt.aten "aten::add.Scalar"(%n, 1, 1) : (tensor<2xf32>) -> tensor<2xf32>
      return %3, %4 : tensor<2x4xf32>, tensor<2xf32>
    }
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def VerifyCapture : Pass<"verify-capture", "::mlir::ModuleOp"> {
  let summary = "Check what everything behind functionalize relies on";
  let description = [{
    Errors: shapes that are not static, mutations and views, operators that draw
    random numbers or whose result sizes depend on the contents of tensors.
    A warning: parameters that `@forward` does not use. One remark for all
    operators whose gradient the registry does not know, with their numbers.

    Input:
    ```mlir
    func.func @forward(%x: tensor<4xf32> {nxdt.buffer = @x}) -> tensor<4xf32> {
      %0 = nxdt.aten "aten::bernoulli.p"(%x, 0.5, none) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    Output:
    ```
    error: 'aten::bernoulli.p' draws random numbers, which is not supported yet
    ```
  }];
}

def AppendLoss : Pass<"append-loss", "::mlir::ModuleOp"> {
  let summary = "Turn the captured forward into a function of the loss";
  let description = [{
    `@forward` returns logits; afterwards it takes `targets` [B, S] too (already
    shifted by one, -100 = ignored) and returns the sum of the cross-entropy
    over the targets that count, and their number. Logits are widened to f32
    first.

    Input:
    ```mlir
    func.func @forward(%ids: tensor<1x4xi64> {nxdt.buffer = @input_ids}) -> tensor<1x4x8xbf16> {
      ...
      return %logits : tensor<1x4x8xbf16>
    }
    ```
    Output:
    ```mlir
    nxdt.buffer @targets {role = "input"} : tensor<1x4xi64>
    func.func @forward(%ids: tensor<1x4xi64> {nxdt.buffer = @input_ids},
                       %targets: tensor<1x4xi64> {nxdt.buffer = @targets}) -> (tensor<f32>, tensor<i64>) {
      ...
      %0 = nxdt.aten "aten::to.dtype"(%logits, f32, false, false, none) : (tensor<1x4x8xbf16>) -> tensor<1x4x8xf32>
      %loss_sum, %count, %log_probs = nxdt.cross_entropy %0, %targets {ignore_index = -100 : i64} : ...
      return %loss_sum, %count : tensor<f32>, tensor<i64>
    }
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def FuseAttention : Pass<"fuse-attention", "::mlir::ModuleOp"> {
  let summary = "Replace written-out attention by fused attention";
  let description = [{
    softmax(scale * q k^T, masked) v becomes `nxdt.sdpa` where it is proven to
    be the same:
    - the mask is evaluated row by row as a piecewise function of the column
      (`arange`, `triu`, comparisons, `where`, ...): column j of row i must be
      kept for all j <= i and masked for all j > i, or nothing masked at all. A
      logit of at most -10000 counts as masked;
    - scales before and after the product are multiplied into one;
    - heads of k and v repeated in natural order (query head h reads head
      h / (Hq / Hkv)) are read without the repetition.

    What looks like attention and is left alone gets a remark that says why.

    Input:
    ```mlir
    %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x8x64x8xf32>) -> tensor<1x8x8x64xf32>
    %0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x8x64x8xf32>, tensor<1x8x8x64xf32>) -> tensor<1x8x64x64xf32>
    %1 = nxdt.aten "aten::mul.Scalar"(%0, 0.125) : (tensor<1x8x64x64xf32>) -> tensor<1x8x64x64xf32>
    %ones = nxdt.aten "aten::ones"(array<i64: 64, 64>, i1, none, device, none) : () -> tensor<64x64xi1>
    %future = nxdt.aten "aten::triu"(%ones, 1) : (tensor<64x64xi1>) -> tensor<64x64xi1>
    %2 = nxdt.aten "aten::masked_fill.Scalar"(%1, %future, -1.0e+30) : (tensor<1x8x64x64xf32>, tensor<64x64xi1>) -> tensor<1x8x64x64xf32>
    %3 = nxdt.aten "aten::softmax.int"(%2, -1, none) : (tensor<1x8x64x64xf32>) -> tensor<1x8x64x64xf32>
    %4 = nxdt.aten "aten::matmul"(%3, %v) : (tensor<1x8x64x64xf32>, tensor<1x8x64x8xf32>) -> tensor<1x8x64x8xf32>
    ```
    Output:
    ```mlir
    %out, %lse = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.250000e-01 : f64}
        : tensor<1x8x64x8xf32>, tensor<1x8x64x8xf32>, tensor<1x8x64x8xf32> -> tensor<1x8x64x8xf32>, tensor<1x8x64xf32>
    ```
  }];
  let statistics = [
    Statistic<"numFused", "fused", "Attentions that became one op">
  ];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def Autodiff : Pass<"autodiff", "::mlir::ModuleOp"> {
  let summary = "Add the gradients of the loss to @forward, as @gradients";
  let description = [{
    Walks `@forward` backwards from its first result. Each op's gradient comes
    from the registry, or from its own op for typed ops; an operator without
    one gets `nxdt.aten_vjp` and a remark saying so. `@gradients` returns what
    `@forward` returns, then one gradient per `param` argument, marked
    `nxdt.grad_of`; a parameter that the loss does not depend on gets zeros and
    a warning. `@forward` stays for evaluation.

    Input:
    ```mlir
    func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
      %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
      return %0 : tensor<f32>
    }
    ```
    Output:
    ```mlir
    func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w}) {
      %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
      %1 = nxdt.aten "aten::full"(array<i64>, 1.0, f32, none, device, none) : () -> tensor<f32>
      %2 = nxdt.aten "aten::reshape"(%1, array<i64: 1>) : (tensor<f32>) -> tensor<1xf32>
      %3 = nxdt.aten "aten::expand"(%2, array<i64: 4>, false) : (tensor<1xf32>) -> tensor<4xf32>
      return %0, %3 : tensor<f32>, tensor<4xf32>
    }
    ```
  }];
  let statistics = [
    Statistic<"numFallbacks", "aten-vjp", "Operators left to libtorch's autograd">
  ];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def VerifyGradients : Pass<"verify-gradients", "::mlir::ModuleOp"> {
  let summary = "Check that every parameter has exactly its gradient";
  let description = [{
    `@gradients` takes what `@forward` takes, returns what it returns, then one
    gradient per floating-point parameter, of the parameter's type. Which
    parameters the loss depends on is derived again from `@forward`: the others'
    gradients must be zero. No `nxdt.aten_vjp` belongs to an operator that ran
    with gradients disabled.

    Input:
    ```mlir
    func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {...}
    ```
    Output:
    ```
    error: parameter @w has no gradient
    ```
  }];
}

def BuildStep : Pass<"build-step", "::mlir::ModuleOp"> {
  let summary = "Build the programs of a training step around @gradients";
  let description = [{
    From the module's `nxdt.train` dictionary (optimizer and its numbers,
    `max_norm`, `decay_norms`): declares masters, optimizer state, gradient
    accumulators and scalars, and replaces `@forward` and `@gradients` by the
    programs `begin_step`, `train_step` (one micro-batch), `finish_step`
    (loss, grad_norm, scale), `update_step`, `begin_eval`, `eval_step`,
    `finish_eval` and `norm_params`.

    Gradients accumulate unscaled in fp32; loss and count stay apart until
    `finish_step`. Weights narrower than fp32 get an fp32 master, which the
    optimizer updates and the weight is cast from. Parameters of rank 0 and 1
    (biases, norm weights) are decayed only if `decay_norms`.

    ```mlir
    module attributes {nxdt.train = {optimizer = "adamw", beta1 = 0.9, beta2 = 0.95, eps = 1.0e-8,
                                     weight_decay = 0.1, decay_norms = false, max_norm = 1.0}} {...}
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def RecordScales : Pass<"record-scales", "::mlir::ModuleOp"> {
  let summary = "Write down which constant factors the step has";
  let description = [{
    Counts, by program, the constants that floating-point values are multiplied
    by or made of, in the module attribute `nxdt.scales`. It is what the model
    and its gradients bring along, before anything knows of ranks;
    `verify-reduction-scale` compares.

    Input:
    ```mlir
    func.func @train_step(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @y}) {
      %0 = nxdt.aten "aten::mul.Scalar"(%x, 2.0) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    Output:
    ```mlir
    module attributes {nxdt.scales = {train_step = {"aten::mul.Scalar by 2" = 1 : i64}}} {...}
    ```
  }];
}

def ApplyStrategy : Pass<"apply-strategy", "::mlir::ModuleOp"> {
  let summary = "Say how parameters, optimizer state and inputs lie on the mesh";
  let description = [{
    Parameters are split as the module attribute `nxdt.sharding_rules` says:
    patterns of names (`*` for anything) with the axes of each dimension; what
    matches none lies on every rank. Masters and optimizer state lie as their
    parameter, and with `zero1` in `nxdt.strategy` their first dimension is
    split over `dp` and `cp` too, minor to `tp`. The first dimension of inputs
    is split over `dp`. Accumulators are left open: pass partition types them.

    Errors: a pattern that matches no parameter, two patterns that say
    different things of one, an unknown axis, a wrong number of dimensions.

    Input:
    ```mlir
    module attributes {nxdt.mesh = #nxdt.mesh<dp = 2, tp = 4>, nxdt.strategy = {zero1 = true},
                       nxdt.sharding_rules = [{pattern = "*.up_proj.weight", dims = [["tp"], []]} ]} {
      nxdt.buffer @m.up_proj.weight {role = "param"} : tensor<64x16xf32>
      nxdt.buffer @m.up_proj.weight.exp_avg {param = "m.up_proj.weight", role = "opt_state", state = "exp_avg"} : tensor<64x16xf32>
    }
    ```
    Output:
    ```mlir
    #mesh = #nxdt.mesh<dp = 2, tp = 4>
    nxdt.buffer @m.up_proj.weight {role = "param"} : tensor<64x16xf32, #nxdt.sharding<#mesh, [[tp], []]>>
    nxdt.buffer @m.up_proj.weight.exp_avg {param = "m.up_proj.weight", role = "opt_state", state = "exp_avg"}
        : tensor<64x16xf32, #nxdt.sharding<#mesh, [[tp, dp], []]>>
    ```
  }];
}

def Partition : Pass<"partition", "::mlir::ModuleOp"> {
  let summary = "Give every value a sharding, with reshards where ops need them";
  let description = [{
    Program by program, in order: an op splits its factors (the registry's
    rules) as its operands are split, strongest first: parameters, then inputs,
    then the sequence. Operands that lie otherwise are resharded, with a reason.
    A sum over ranks is put off while ops are linear; where it is needed, it is
    left split along the sequence if `sequence_parallel` is set and the axis is
    free, so that it becomes a reduce-scatter.

    Gradients lie as their parameters and stay partial over what their sums
    lack; `finish_step` brings them to where the optimizer state lies, in a
    buffer `reduced_grad` if that is another place.

    Input:
    ```mlir
    #mesh = #nxdt.mesh<tp = 4>
    module attributes {nxdt.mesh = #mesh} {
      nxdt.buffer @w {role = "param"} : tensor<8x64xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
      nxdt.buffer @x {role = "input"} : tensor<2x64xf32, #nxdt.sharding<#mesh, [[], []]>>
      nxdt.buffer @y {role = "scalar"} : tensor<2x8xf32>
      func.func @train_step(%w: tensor<8x64xf32> {nxdt.buffer = @w}, %x: tensor<2x64xf32> {nxdt.buffer = @x})
          -> (tensor<2x8xf32> {nxdt.buffer = @y}) {
        %0 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<2x64xf32>, tensor<8x64xf32>) -> tensor<2x8xf32>
        return %0 : tensor<2x8xf32>
      }
    }
    ```
    Output (types without `#nxdt.sharding<#mesh, ...>`):
    ```mlir
    %0 = nxdt.reshard %x {reason = "..."} : [[], []] -> [[], [tp]]
    %1 = nxdt.aten "aten::linear"(%0, %w, none) : ([[], [tp]], [[], [tp]]) -> [[], []], partial [tp]
    %2 = nxdt.reshard %1 {reason = "sum of aten::linear ..."} : [[], []], partial [tp] -> [[], []]
    ```
  }];
}

def VerifySharding : Pass<"verify-sharding", "::mlir::ModuleOp"> {
  let summary = "Check that every sharding follows from its op's rule";
  let description = [{
    Every value has a sharding. What splits each factor of an op is found anew
    from its operands' and results' types: one list of axes for a factor, no
    axis for two. Results are partial over exactly the axes of the factors that
    they lack, and over what their operands were partial over. A partial sum
    reaches only ops that are linear in it, and never a buffer that is not
    declared so, the optimizer, `clip_scale` or a norm. Only `nxdt.reshard`
    changes a sharding. Types of arguments and results are those of their
    buffers; of a parameter only gradients may be partial. All encodings are
    verified again.

    Input:
    ```mlir
    %1 = nxdt.aten "aten::linear"(%x, %w, none) : ([[], [tp]], [[], [tp]]) -> [[], []], partial [tp]
    %2 = nxdt.aten "aten::silu"(%1) : ([[], []], partial [tp]) -> [[], []]
    ```
    Output:
    ```
    error: model.mlp: operand 0 is partial over [tp], but aten::silu is not linear in it; reshard it to the sum first
    ```
  }];
}

def VerifyReductionScale : Pass<"verify-reduction-scale", "::mlir::ModuleOp"> {
  let summary = "Check that gradients carry one over the number of tokens, once";
  let description = [{
    Backwards from the optimizer: a parameter's gradient is its own accumulator,
    times `grad_scale`, which is 1 / `token_sum` (and the clipping), and
    nothing else; so is the loss. The norm that clips counts each gradient once.
    Accumulators start from zero and grow by what a micro-batch gives. No
    program has gained or lost a constant factor since `record-scales`: neither
    partitioning nor a reduction multiplies by anything.

    Over which ranks sums are taken is in the types: see `verify-sharding`. Runs
    on shardings and on local programs alike.

    Input:
    ```mlir
    %0 = nxdt.reshard %grad {reason = "..."} : ... partial [dp] -> ...
    %1 = nxdt.aten "aten::div.Scalar"(%0, 2.0) : ...  // the number of dp ranks
    %p1, %m1, %v1 = nxdt.adamw %p, %1, %m, %v, %lr, %step, %scale {...} : ...
    ```
    Output:
    ```
    error: w: the gradient is 5.000000e-01 times @w.grad; sums over ranks and micro-batches are divided by the number of tokens, and by nothing else
    ```
  }];
}

def Recompute : Pass<"recompute", "::mlir::ModuleOp"> {
  let summary = "Compute values again in the backward instead of keeping them";
  let description = [{
    The module attribute `nxdt.recompute` lists patterns of module paths. What
    ops of those modules give and the backward needs is computed again, layer by
    layer, just before the backward first needs it, from what the layer was
    given. No collective is run twice: what the forward exchanged inside is
    kept, unless the backward does the same exchange anyway. The copies are the
    same ops on the same values, so that the bits do not change; the attribute
    `recomputed` keeps them from being merged with the forward's again.

    Input:
    ```mlir
    module attributes {nxdt.recompute = ["layers.0"]} {
      func.func @train_step(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @y}) {
        %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("layers.0")
        %1 = nxdt.aten "aten::sin"(%0) : (tensor<4xf32>) -> tensor<4xf32> loc("loss")
        %2 = nxdt.aten "aten::mul.Tensor"(%1, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("layers.0^")
        return %2 : tensor<4xf32>
      }
    }
    ```
    Output:
    ```mlir
    %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = nxdt.aten "aten::sin"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = nxdt.aten "aten::exp"(%x) {recomputed} : (tensor<4xf32>) -> tensor<4xf32>
    %3 = nxdt.aten "aten::mul.Tensor"(%1, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

def SplitStages : Pass<"split-stages", "::mlir::ModuleOp"> {
  let summary = "Programs of the stages of a pipeline";
  let description = [{
    Cuts `train_step` and `eval_step` into chunks, as `nxdt.pipeline` and the
    axis `pp` of the mesh say; chunk c lies on stage c modulo pp. An op that
    uses a layer's parameter is in the layer's chunk; all else goes where fewest
    bytes are sent, found as a minimum cut. What depends on constants and inputs
    only is computed wherever it is needed. A tensor that another program of the
    micro-batch needs is a buffer of the role `carry`; over each border that it
    crosses leads a `nxdt.channel`, from neighbour to neighbour.

    Programs that run once per step get a copy per stage, without what belongs
    to parameters of other stages; sums over all parameters are summed over
    `pp`. A parameter that several stages use belongs to the first: copies send
    it their gradient, and get the new value.

    Layers are cut where `nxdt.pipeline` names the last layer of each chunk, or
    so that the most expensive chunk costs as little as can be.

    Input:
    ```mlir
    module attributes {nxdt.mesh = #nxdt.mesh<pp = 2>, nxdt.pipeline = {chunks_per_stage = 1 : i64, micro_batches = 2 : i64}}
    func.func @train_step(%x: ... {nxdt.buffer = @x}, %w0: ... {nxdt.buffer = @layers.0.weight}, %w1: ... {nxdt.buffer = @layers.1.weight}) {
      %0 = nxdt.aten "aten::linear"(%x, %w0, none)
      %1 = nxdt.aten "aten::linear"(%0, %w1, none)
      ...
    ```
    Output:
    ```mlir
    nxdt.buffer @act0.0 {role = "carry"}
    nxdt.buffer @act0.1 {role = "carry"}
    nxdt.channel @act0.0-1 from 0 @act0.0 to 1 @act0.1 {reason = "result of layers.0 for chunk 1"}
    func.func @forward.0(%x: ..., %w0: ...) -> (... {nxdt.buffer = @act0.0}) attributes {nxdt.program = "forward.0", nxdt.stage = 0 : i64}
    func.func @forward.1(%0: ... {nxdt.buffer = @act0.1}, %w1: ...) attributes {nxdt.program = "forward.1", nxdt.stage = 1 : i64}
    ```
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::nxdt::NxdtDialect"];
}

def ScheduleStages : Pass<"schedule-stages", "::mlir::ModuleOp"> {
  let summary = "What each stage of a pipeline does, in order";
  let description = [{
    One forward, one backward (1F1B) for one chunk per stage, its interleaved
    form for several, and forward passes only for `eval_step`; `update_step` gets
    a schedule where stages share parameters. Receives begin early, sends are
    waited for late, tensors are freed when nobody needs them. Every schedule is
    proved by code that did not make it: order, data, tensors in flight, and that
    stages never wait for each other in a circle.

    Input: a module that split-stages has cut, with
    ```mlir
    nxdt.channel @act0.0-1 from 0 @act0.0 to 1 @act0.1 {after = "forward.0", before = "forward.1", reason = "result of layers.0"}
    ```
    Output:
    ```mlir
    nxdt.schedule @train_step.schedule.s1 {program = "train_step", stage = 1 : i64, micro_batches = 2 : i64, actions = [
      "recv act0.0-1 0", "recv act0.0-1 1", "wait act0.0-1 0", "run forward.1 0", "run backward.1 0", ...]}
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def MarkOrigins : Pass<"mark-origins", "::mlir::ModuleOp"> {
  let summary = "Name values, so that they can be found again in a plan";
  let description = [{
    Every result of every program gets a name, in the attribute `nxdt.origin`:
    program, number of the op, number of the result, and the buffer that the
    program leaves the value in. Later passes keep the names with the values, as
    far as those still exist: a reshard's result has the name of its input, a
    value that is computed again the name of the first. lower-to-spmd adds the
    type of the whole with its sharding (`nxdt.whole_type`), and the plan has
    both, so that `nxdt-run --simulate` can compare values of two plans.

    Input:
    ```mlir
    func.func @f(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @y}) {
      %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    Output:
    ```mlir
    %0 = nxdt.aten "aten::exp"(%x) {nxdt.origin = ["f#0.0>y"]} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}

def LowerToSpmd : Pass<"lower-to-spmd", "::mlir::ModuleOp"> {
  let summary = "Local shapes and collectives: one program for all ranks";
  let description = [{
    Every value becomes what one rank holds of it, every reshard the collectives
    that it takes: a sum that ends up split is a reduce_scatter, one that does
    not an all_reduce; parts are gathered, or sliced without communication.
    Buffers keep their shardings.

    Where a dimension does not divide, the last parts are padded. Padding in
    buffers is zero; elsewhere it is anything, and masked where a sum or maximum
    would see it. A rank enters only through its coordinates: arguments bound
    to buffers of that role. Indices into a split dimension (embedding) become
    indices into the rank's own part; what lies elsewhere counts as zero.

    Input:
    ```mlir
    #mesh = #nxdt.mesh<tp = 4>
    func.func @f(%x: tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>> {nxdt.buffer = @x})
        -> (tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @y}) {
      %0 = nxdt.reshard %x {reason = "why"}
          : tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>> -> tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>>
      return %0 : tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>>
    }
    ```
    Output:
    ```mlir
    func.func @f(%x: tensor<8x64xf32> {nxdt.buffer = @x}) -> (tensor<2x64xf32> {nxdt.buffer = @y}) {
      %0 = nxdt.reduce_scatter %x {axes = [#nxdt.axis<tp:(1)4>], dim = 0 : i64, reason = "why", reduction = "sum"}
          : tensor<8x64xf32> -> tensor<2x64xf32>
      return %0 : tensor<2x64xf32>
    }
    ```
  }];
}

include "nxdt/Passes/OverlapPasses.td"

def LowerToAten : Pass<"lower-to-aten", "::mlir::ModuleOp"> {
  let summary = "Replace typed ops by calls of libtorch's operators";
  let description = [{
    Only the ops that update state stay (`store-in-place` lowers them). Nothing
    is mutated yet, so common subexpressions may still be merged afterwards.
    Attention uses the CPU's fused kernel for `device=cpu` and plain operators
    elsewhere.

    Input:
    ```mlir
    %norm = nxdt.global_norm(%a) : (tensor<8xf32>) -> tensor<f32>
    ```
    Output:
    ```mlir
    %0 = nxdt.aten "aten::linalg_vector_norm"(%a, 2, none, false, f32) : (tensor<8xf32>) -> tensor<f32>
    %1 = nxdt.aten "aten::stack"([%0], 0) : (tensor<f32>) -> tensor<1xf32>
    %norm = nxdt.aten "aten::linalg_vector_norm"(%1, 2, none, false, f32) : (tensor<1xf32>) -> tensor<f32>
    ```
  }];
  let options = [
    Option<"device", "device", "std::string", "\"cpu\"",
           "Device whose kernels typed ops become: cpu or cuda">
  ];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def StoreInPlace : Pass<"store-in-place", "::mlir::ModuleOp"> {
  let summary = "Write every result of a program to its buffer";
  let description = [{
    Optimizer updates and gradient accumulation happen in place where the old
    value is dead; every other result becomes a `copy_` to its buffer's
    argument. Afterwards only `nxdt.aten` and `nxdt.aten_vjp` are left,
    programs return nothing, and the order of ops matters: no pass that merges
    or moves ops may follow.

    Input:
    ```mlir
    func.func @p(%acc: tensor<4xf32> {nxdt.buffer = @acc}, %g: tensor<4xf32> {nxdt.buffer = @g})
        -> (tensor<4xf32> {nxdt.buffer = @acc}) {
      %0 = nxdt.accumulate %acc, %g : tensor<4xf32>, tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    ```
    Output:
    ```mlir
    func.func @p(%acc: tensor<4xf32> {nxdt.buffer = @acc}, %g: tensor<4xf32> {nxdt.buffer = @g}) {
      %0 = nxdt.aten "aten::add_.Tensor"(%acc, %g, 1) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      return
    }
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def VerifyPlanReady : Pass<"verify-plan-ready", "::mlir::ModuleOp"> {
  let summary = "Check what emit relies on";
  let description = [{
    Programs consist of `nxdt.aten`, `nxdt.aten_vjp` and `return` of nothing.
    Each argument is a declared buffer of its own. Only these are mutated, and
    no input. Values are memory now: one that may share a buffer's memory is
    not read after the buffer was written, and a buffer not after it was
    overwritten as a whole.

    Input:
    ```mlir
    func.func @p(%a: tensor<4xf32> {nxdt.buffer = @a}, %b: tensor<2x2xf32> {nxdt.buffer = @b}) {
      %0 = nxdt.aten "aten::view"(%a, array<i64: 2, 2>) : (tensor<4xf32>) -> tensor<2x2xf32>
      %1 = nxdt.aten "aten::zero_"(%a) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
      %2 = nxdt.aten "aten::copy_"(%b, %0, false) {mutates = array<i32: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
      return
    }
    ```
    Output:
    ```
    error: reads operand 1 after its buffer @a was overwritten in place
    ```
  }];
}

#endif // NXDT_PASSES
