//===- NxdtPendingOps.td - collectives under way -----------*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PENDING_OPS
#define NXDT_PENDING_OPS

// Included by NxdtOps.td, which has the base classes.

class Nxdt_StartOp<string opMnemonic, dag extra = (ins)>
    : Nxdt_Op<opMnemonic, [Pure]> {
  let arguments = !con((ins Variadic<Nxdt_Tensor>:$inputs, Nxdt_AxesAttr:$axes),
                       extra,
                       (ins StrAttr:$reason, OptionalAttr<StrArrayAttr>:$modules,
                            OptionalAttr<StrArrayAttr>:$reasons));
  let results = (outs Nxdt_Pending:$pending);
  let assemblyFormat = "$inputs attr-dict `:` functional-type($inputs, $pending)";
  let hasVerifier = 1;
}

def Nxdt_AllReduceStartOp : Nxdt_StartOp<"all_reduce_start", (ins StrAttr:$reduction)> {
  let summary = "Starts an all_reduce of one or several tensors";
  let description = [{
    Each result is what `nxdt.all_reduce` gives for its operand; all are of one
    element type and travel together. Of several, `modules` and `reasons` say
    where each comes from and why it is there.

    ```mlir
    %p = nxdt.all_reduce_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], reason = "gradients", reduction = "sum"}
        : (tensor<8xf32>, tensor<4xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<4xf32>>
    ```
  }];
}

def Nxdt_AllGatherStartOp : Nxdt_StartOp<"all_gather_start", (ins I64Attr:$dim)> {
  let summary = "Starts an all_gather of one or several tensors";
  let description = [{
    ```mlir
    %p = nxdt.all_gather_start %a {axes = [#nxdt.axis<tp:(1)4>], dim = 0 : i64, reason = "sequence parallelism"}
        : (tensor<8xf32>) -> !nxdt.pending<tensor<32xf32>>
    ```
  }];
}

def Nxdt_ReduceScatterStartOp
    : Nxdt_StartOp<"reduce_scatter_start", (ins I64Attr:$dim, StrAttr:$reduction)> {
  let summary = "Starts a reduce_scatter of one or several tensors";
  let description = [{
    ```mlir
    %p = nxdt.reduce_scatter_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], dim = 0 : i64, reason = "ZeRO-1", reduction = "sum"}
        : (tensor<8xf32>, tensor<4x2xf32>) -> !nxdt.pending<tensor<4xf32>, tensor<2x2xf32>>
    ```
  }];
}

def Nxdt_WaitOp : Nxdt_Op<"wait", [Pure]> {
  let summary = "The results of a collective that was started";
  let description = [{
    The only use of the pending value, which a start of the same block gives.

    ```mlir
    %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<4xf32>> -> tensor<8xf32>, tensor<4xf32>
    ```
  }];
  let arguments = (ins Nxdt_Pending:$pending);
  let results = (outs Variadic<Nxdt_Tensor>:$results);
  let assemblyFormat = "$pending attr-dict `:` qualified(type($pending)) `->` type($results)";
  let hasVerifier = 1;
}

#endif // NXDT_PENDING_OPS
