//===- NxdtOps.td - operations ------------------------------*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_OPS
#define NXDT_OPS

include "NxdtBase.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Nxdt_Op<string opMnemonic, list<Trait> traits = []>
    : Op<Nxdt_Dialect, opMnemonic, traits>;

def Nxdt_Tensor : StaticShapeTensorOf<[AnyFloat, AnySignlessInteger]>;
def Nxdt_FloatTensor : StaticShapeTensorOf<[AnyFloat]>;
def Nxdt_Scalar : 0DTensorOf<[AnyFloat, AnySignlessInteger]>;
def Nxdt_FloatScalar : 0DTensorOf<[AnyFloat]>;
def Nxdt_AxesAttr : TypedArrayAttrBase<Nxdt_AxisAttr, "mesh axes, major to minor">;

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

def Nxdt_BufferOp : Nxdt_Op<"buffer", [Symbol]> {
  let summary = "A tensor that outlives programs";
  let description = [{
    Roles: `param` (a weight in compute precision), `master` (its fp32 master,
    only where it differs), `opt_state` (`state` names it), `grad` (fp32
    accumulator), `reduced_grad` (the same summed over the ranks, where it lies
    otherwise), `buffer` (a module's registered buffer), `input` (set by the
    runtime), `scalar` (accumulators and results of a step), `coordinate` (the
    rank's index along `axes`, i64), `carry` (what a program leaves for a later
    one of the same micro-batch, or what another stage sends).

    `param` names the parameter that a `master`, `opt_state`, `grad` or
    `reduced_grad` belongs to. `init` says how a parameter's elements come to be when no weights are
    loaded: `{kind = "normal", mean, std}`, `{kind = "uniform", low, high}` or
    `{kind = "constant", value}`. `tied` lists further names of the parameter.

    ```mlir
    nxdt.buffer @lm_head.weight {role = "param", init = {kind = "normal", mean = 0.0, std = 0.02}} : tensor<512x64xf32>
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    StrAttr:$role,
    TypeAttrOf<Nxdt_Tensor>:$type,
    OptionalAttr<StrAttr>:$param,
    OptionalAttr<StrAttr>:$state,
    OptionalAttr<DictionaryAttr>:$init,
    OptionalAttr<StrArrayAttr>:$tied,
    OptionalAttr<Nxdt_AxesAttr>:$axes);
  let assemblyFormat = "$sym_name attr-dict `:` $type";
  let builders = [
    OpBuilder<(ins "::llvm::StringRef":$name, "::llvm::StringRef":$role, "::mlir::RankedTensorType":$type), [{
      build($_builder, $_state, $_builder.getStringAttr(name), $_builder.getStringAttr(role),
            ::mlir::TypeAttr::get(type), {}, {}, {}, {}, {});
    }]>
  ];
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::mlir::cast<::mlir::RankedTensorType>(getType());
    }
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Operators of libtorch
//===----------------------------------------------------------------------===//

def Nxdt_AtenOp : Nxdt_Op<"aten", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Any operator of libtorch's dispatcher";
  let description = [{
    `callee` is `namespace::name` or `namespace::name.overload`. Between the
    parentheses stands the schema's whole argument list in order: operands
    where it wants tensors, `[%a, none]` for tensor lists, attributes
    elsewhere, `none` for what is absent, `device` for a device.

    As captured, an operator may mutate operands (`mutates`, operand numbers)
    and results may alias operands (`views`, per result the operand or -1);
    after `functionalize` neither is left. `no_grad` marks an operator that ran
    with gradients disabled.

    ```mlir
    %1 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
    %2 = nxdt.aten "aten::sum.dim_IntList"(%1, array<i64: 1>, false, none) : (tensor<2x8xf32>) -> tensor<2xf32>
    ```
  }];
  let arguments = (ins
    StrAttr:$callee,
    Variadic<Nxdt_Tensor>:$inputs,
    ArrayAttr:$args,
    OptionalAttr<DenseI32ArrayAttr>:$mutates,
    OptionalAttr<DenseI32ArrayAttr>:$views,
    UnitAttr:$no_grad);
  let results = (outs Variadic<Nxdt_Tensor>:$outputs);
  let assemblyFormat = [{
    custom<AtenCall>($callee, $inputs, $args) attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

def Nxdt_AtenVjpOp : Nxdt_Op<"aten_vjp", [Pure, AttrSizedOperandSegments]> {
  let summary = "The gradient of an operator, by libtorch's autograd at run time";
  let description = [{
    The fallback for an operator whose gradient the registry does not know. The
    call is that of the forward operator. `grads` are the gradients of the
    results that have one (`grad_of`: their result numbers); the results are
    the gradients of the operands `grad_for`.

    ```mlir
    %g = nxdt.aten_vjp "aten::hardswish"(%x) grads(%dy : tensor<4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>}
        : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
  let arguments = (ins
    StrAttr:$callee,
    Variadic<Nxdt_Tensor>:$inputs,
    ArrayAttr:$args,
    Variadic<Nxdt_Tensor>:$grads,
    DenseI32ArrayAttr:$grad_of,
    DenseI32ArrayAttr:$grad_for,
    DefaultValuedAttr<I32Attr, "1">:$forward_results);
  let results = (outs Variadic<Nxdt_Tensor>:$outputs);
  let assemblyFormat = [{
    custom<AtenCall>($callee, $inputs, $args) `grads` `(` $grads `:` type($grads) `)`
    attr-dict `:` functional-type($inputs, $outputs)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Operators whose structure a pass needs
//===----------------------------------------------------------------------===//

def Nxdt_SdpaOp : Nxdt_Op<"sdpa", [Pure]> {
  let summary = "Fused scaled dot-product attention";
  let description = [{
    `q` [B, Hq, S, D], `k` and `v` [B, Hkv, T, D], Hq a multiple of Hkv: query
    head h reads key head h / (Hq / Hkv). `lse` [B, Hq, S] is the f32 log-sum-exp
    of each row of scores, which the backward needs.

    ```mlir
    %out, %lse = nxdt.sdpa %q, %k, %v {causal = true, scale = 0.125 : f64}
        : tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32> -> tensor<1x8x64x8xf32>, tensor<1x8x64xf32>
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$q, Nxdt_FloatTensor:$k, Nxdt_FloatTensor:$v,
                       BoolAttr:$causal, F64Attr:$scale);
  let results = (outs Nxdt_FloatTensor:$out, Nxdt_FloatTensor:$lse);
  let assemblyFormat = [{
    $q `,` $k `,` $v attr-dict `:` type($q) `,` type($k) `,` type($v) `->` type($out) `,` type($lse)
  }];
  let hasVerifier = 1;
}

def Nxdt_SdpaBackwardOp : Nxdt_Op<"sdpa_backward", [Pure]> {
  let summary = "Gradient of `nxdt.sdpa`";
  let description = [{
    ```mlir
    %dq, %dk, %dv = nxdt.sdpa_backward %dout, %q, %k, %v, %out, %lse {causal = true, scale = 0.125 : f64}
        : (tensor<1x8x64x8xf32>, tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x8x64x8xf32>, tensor<1x8x64xf32>)
        -> (tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>)
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$dout, Nxdt_FloatTensor:$q, Nxdt_FloatTensor:$k,
                       Nxdt_FloatTensor:$v, Nxdt_FloatTensor:$out, Nxdt_FloatTensor:$lse,
                       BoolAttr:$causal, F64Attr:$scale);
  let results = (outs Nxdt_FloatTensor:$dq, Nxdt_FloatTensor:$dk, Nxdt_FloatTensor:$dv);
  let assemblyFormat = [{
    $dout `,` $q `,` $k `,` $v `,` $out `,` $lse attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Nxdt_CrossEntropyOp : Nxdt_Op<"cross_entropy", [Pure]> {
  let summary = "Summed cross-entropy and the number of targets it sums over";
  let description = [{
    `logits` [..., V] f32, `targets` [...] i64; targets equal to `ignore_index`
    count in neither result. Sum and count stay apart: the division happens
    once, after every reduction. `log_probs` [..., V] is kept for the backward.

    ```mlir
    %loss, %count, %lp = nxdt.cross_entropy %logits, %targets {ignore_index = -100 : i64}
        : tensor<1x64x512xf32>, tensor<1x64xi64> -> tensor<f32>, tensor<i64>, tensor<1x64x512xf32>
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$logits, Nxdt_Tensor:$targets, I64Attr:$ignore_index);
  let results = (outs Nxdt_FloatScalar:$loss_sum, Nxdt_Scalar:$count, Nxdt_FloatTensor:$log_probs);
  let assemblyFormat = [{
    $logits `,` $targets attr-dict `:` type($logits) `,` type($targets) `->` type($loss_sum) `,` type($count) `,` type($log_probs)
  }];
  let hasVerifier = 1;
}

def Nxdt_CrossEntropyBackwardOp : Nxdt_Op<"cross_entropy_backward", [Pure]> {
  let summary = "Gradient of `nxdt.cross_entropy` for the logits";
  let description = [{
    ```mlir
    %d = nxdt.cross_entropy_backward %dloss, %lp, %targets {ignore_index = -100 : i64}
        : tensor<f32>, tensor<1x64x512xf32>, tensor<1x64xi64> -> tensor<1x64x512xf32>
    ```
  }];
  let arguments = (ins Nxdt_FloatScalar:$dloss, Nxdt_FloatTensor:$log_probs, Nxdt_Tensor:$targets,
                       I64Attr:$ignore_index);
  let results = (outs Nxdt_FloatTensor:$dlogits);
  let assemblyFormat = [{
    $dloss `,` $log_probs `,` $targets attr-dict `:` type($dloss) `,` type($log_probs) `,` type($targets) `->` type($dlogits)
  }];
  let hasVerifier = 1;
}

def Nxdt_WeightGradOp : Nxdt_Op<"weight_grad", [Pure]> {
  let summary = "Gradient of a linear layer for its weight";
  let description = [{
    `dout` [..., O] and `input` [..., I] give [O, I], summed over all leading
    dimensions: one op, so that these may be split by different axes.

    ```mlir
    %dw = nxdt.weight_grad %dout, %x : tensor<1x64x8xf32>, tensor<1x64x4xf32> -> tensor<8x4xf32>
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$dout, Nxdt_FloatTensor:$input);
  let results = (outs Nxdt_FloatTensor:$result);
  let assemblyFormat = "$dout `,` $input attr-dict `:` type($dout) `,` type($input) `->` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Optimizer step
//===----------------------------------------------------------------------===//

def Nxdt_AccumulateOp : Nxdt_Op<"accumulate", [Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "Add a micro-batch's part to an accumulator";
  let description = [{
    The sum is computed in the accumulator's type (gradients: fp32), whatever
    the type of what is added.

    ```mlir
    %1 = nxdt.accumulate %acc, %g : tensor<8xf32>, tensor<8xbf16>
    ```
  }];
  let arguments = (ins Nxdt_Tensor:$acc, Nxdt_Tensor:$value);
  let results = (outs Nxdt_Tensor:$result);
  let assemblyFormat = "$acc `,` $value attr-dict `:` type($acc) `,` type($value)";
  let hasVerifier = 1;
}

def Nxdt_GlobalNormOp : Nxdt_Op<"global_norm", [Pure]> {
  let summary = "L2 norm over all elements of several tensors";
  let description = [{
    Every logical element counts once.

    ```mlir
    %n = nxdt.global_norm(%a, %b) : (tensor<8xf32>, tensor<4x2xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Variadic<Nxdt_FloatTensor>:$tensors);
  let results = (outs Nxdt_FloatScalar:$norm);
  let assemblyFormat = "`(` $tensors `)` attr-dict `:` functional-type($tensors, $norm)";
}

def Nxdt_SquareSumOp : Nxdt_Op<"square_sum", [Pure]> {
  let summary = "Sum of the squares of all elements of several tensors";
  let description = [{
    What ranks that hold parts of the tensors add up for a global norm.

    ```mlir
    %n = nxdt.square_sum(%a, %b) : (tensor<8xf32>, tensor<4x2xf32>) -> tensor<f32>
    ```
  }];
  let arguments = (ins Variadic<Nxdt_FloatTensor>:$tensors);
  let results = (outs Nxdt_FloatScalar:$sum);
  let assemblyFormat = "`(` $tensors `)` attr-dict `:` functional-type($tensors, $sum)";
}

def Nxdt_ClipScaleOp : Nxdt_Op<"clip_scale", [Pure]> {
  let summary = "The factor from accumulated to clipped mean gradients";
  let description = [{
    `acc_norm` is the norm of the unscaled accumulators, `count` the global
    number of targets. `grad_norm` = acc_norm / count, and
    `scale` = min(1, max_norm / (grad_norm + 1e-6)) / count; without `max_norm`
    it is 1 / count.

    ```mlir
    %grad_norm, %scale = nxdt.clip_scale %acc_norm, %count {max_norm = 1.0 : f64}
        : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
    ```
  }];
  let arguments = (ins Nxdt_FloatScalar:$acc_norm, Nxdt_Scalar:$count, OptionalAttr<F64Attr>:$max_norm);
  let results = (outs Nxdt_FloatScalar:$grad_norm, Nxdt_FloatScalar:$scale);
  let assemblyFormat = [{
    $acc_norm `,` $count attr-dict `:` type($acc_norm) `,` type($count) `->` type($grad_norm) `,` type($scale)
  }];
}

def Nxdt_AdamWOp : Nxdt_Op<"adamw", [Pure,
    AllTypesMatch<["param", "exp_avg", "exp_avg_sq", "new_param", "new_exp_avg", "new_exp_avg_sq"]>,
    AllShapesMatch<["param", "grad"]>]> {
  let summary = "One AdamW update of one parameter";
  let description = [{
    With g = grad * scale, `variant`:
    - `adamw` (torch.optim.AdamW): p <- p (1 - lr wd); p <- p - lr m^ / (sqrt(v^) + eps).
    - `adamw_fp32OptState` (NxD): eps is added to the uncorrected sqrt(v),
      the step is lr sqrt(1 - beta2^t) / (1 - beta1^t) if `correct_bias`, and the decay
      p <- p - lr wd p comes last.

    `lr` f64, `step` f32 (1 for the first update) and `scale` f32 are scalars.

    ```mlir
    %p1, %m1, %v1 = nxdt.adamw %p, %g, %m, %v, %lr, %step, %scale
        {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true}
        : tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$param, Nxdt_FloatTensor:$grad, Nxdt_FloatTensor:$exp_avg,
                       Nxdt_FloatTensor:$exp_avg_sq, Nxdt_FloatScalar:$lr, Nxdt_FloatScalar:$step,
                       Nxdt_FloatScalar:$scale,
                       F64Attr:$beta1, F64Attr:$beta2, F64Attr:$eps, F64Attr:$weight_decay,
                       StrAttr:$variant, BoolAttr:$correct_bias);
  let results = (outs Nxdt_FloatTensor:$new_param, Nxdt_FloatTensor:$new_exp_avg,
                      Nxdt_FloatTensor:$new_exp_avg_sq);
  let assemblyFormat = [{
    $param `,` $grad `,` $exp_avg `,` $exp_avg_sq `,` $lr `,` $step `,` $scale attr-dict
    `:` type($param) `,` type($grad) `,` type($lr) `,` type($step) `,` type($scale)
  }];
  let hasVerifier = 1;
}

def Nxdt_SgdOp : Nxdt_Op<"sgd", [Pure, AllShapesMatch<["param", "grad"]>]> {
  let summary = "One SGD update of one parameter";
  let description = [{
    torch.optim.SGD: g = grad * scale + wd p; with momentum, the buffer becomes
    g at the first step and momentum * buffer + (1 - dampening) * g later;
    `nesterov` steps along g + momentum * buffer.

    ```mlir
    %p1 = nxdt.sgd %p, %g, %lr, %step, %scale
        {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64}
        : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins Nxdt_FloatTensor:$param, Nxdt_FloatTensor:$grad,
                       Nxdt_FloatScalar:$lr, Nxdt_FloatScalar:$step, Nxdt_FloatScalar:$scale,
                       Optional<Nxdt_FloatTensor>:$momentum_buffer,
                       F64Attr:$momentum, F64Attr:$dampening, BoolAttr:$nesterov, F64Attr:$weight_decay);
  let results = (outs Nxdt_FloatTensor:$new_param, Optional<Nxdt_FloatTensor>:$new_momentum_buffer);
  let assemblyFormat = [{
    $param `,` $grad `,` $lr `,` $step `,` $scale (`,` $momentum_buffer^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Shardings and collectives
//===----------------------------------------------------------------------===//

def Nxdt_ReshardOp : Nxdt_Op<"reshard", [Pure]> {
  let summary = "The same tensor lying otherwise on the mesh";
  let description = [{
    The only op that changes a sharding. `reason` says why it is there, and
    stays with the collective that it becomes.

    ```mlir
    %1 = nxdt.reshard %0 {reason = "tensor parallelism"}
        : tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [tp]>> -> tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []]>>
    ```
  }];
  let arguments = (ins Nxdt_Tensor:$input, StrAttr:$reason);
  let results = (outs Nxdt_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

class Nxdt_CollectiveOp<string opMnemonic, dag extra = (ins)>
    : Nxdt_Op<opMnemonic, [Pure]> {
  let arguments = !con((ins Nxdt_Tensor:$input, Nxdt_AxesAttr:$axes), extra,
                       (ins StrAttr:$reason));
  let results = (outs Nxdt_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Nxdt_AllReduceOp : Nxdt_CollectiveOp<"all_reduce", (ins StrAttr:$reduction)> {
  let summary = "Elementwise sum or maximum over the ranks along `axes`";
  let description = [{
    ```mlir
    %1 = nxdt.all_reduce %0 {axes = [#nxdt.axis<tp:(1)4>], reduction = "sum", reason = "tensor parallelism"} : tensor<8xf32> -> tensor<8xf32>
    ```
  }];
}

def Nxdt_AllGatherOp : Nxdt_CollectiveOp<"all_gather", (ins I64Attr:$dim)> {
  let summary = "The parts of dimension `dim` from all ranks along `axes`";
  let description = [{
    ```mlir
    %1 = nxdt.all_gather %0 {axes = [#nxdt.axis<tp:(1)4>], dim = 0 : i64, reason = "sequence parallelism"} : tensor<8xf32> -> tensor<32xf32>
    ```
  }];
}

def Nxdt_ReduceScatterOp : Nxdt_CollectiveOp<"reduce_scatter", (ins I64Attr:$dim, StrAttr:$reduction)> {
  let summary = "This rank's part of the sum over the ranks along `axes`";
  let description = [{
    ```mlir
    %1 = nxdt.reduce_scatter %0 {axes = [#nxdt.axis<dp:(1)2>], dim = 0 : i64, reduction = "sum", reason = "ZeRO-1"} : tensor<8xf32> -> tensor<4xf32>
    ```
  }];
}

def Nxdt_AllSliceOp : Nxdt_CollectiveOp<"all_slice", (ins I64Attr:$dim)> {
  let summary = "This rank's part of dimension `dim`; no communication";
  let description = [{
    ```mlir
    %1 = nxdt.all_slice %0 {axes = [#nxdt.axis<dp:(1)2>], dim = 0 : i64, reason = "ZeRO-1"} : tensor<8xf32> -> tensor<4xf32>
    ```
  }];
}

include "NxdtPendingOps.td"
include "NxdtPipelineOps.td"

#endif // NXDT_OPS
