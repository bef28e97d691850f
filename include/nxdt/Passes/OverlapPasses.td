//===- OverlapPasses.td - collectives beside computation ---*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_OVERLAP_PASSES
#define NXDT_OVERLAP_PASSES

// Included by Passes.td.

def BucketCollectives : Pass<"bucket-collectives", "::mlir::ModuleOp"> {
  let summary = "Collectives of gradients and parameters travel together";
  let description = [{
    Collectives that read buffers or whose results only go to buffers have no
    place of their own in a program: those of one kind, group, dimension,
    reduction and element type become one start, with at most the module
    attribute `nxdt.bucket_bytes` of operands (without it nothing is done). A
    larger tensor goes alone. Collectives of activations stay as they are.

    Input:
    ```mlir
    module attributes {nxdt.bucket_bytes = 1024 : i64} {
      func.func @finish_step(%a: tensor<8xf32> {nxdt.buffer = @a.grad}, %b: tensor<4xf32> {nxdt.buffer = @b.grad})
          -> (tensor<8xf32> {nxdt.buffer = @a.reduced_grad}, tensor<4xf32> {nxdt.buffer = @b.reduced_grad}) {
        %0 = nxdt.all_reduce %a {axes = [#nxdt.axis<dp:(1)2>], reason = "gradient of a", reduction = "sum"} : tensor<8xf32> -> tensor<8xf32>
        %1 = nxdt.all_reduce %b {axes = [#nxdt.axis<dp:(1)2>], reason = "gradient of b", reduction = "sum"} : tensor<4xf32> -> tensor<4xf32>
        return %0, %1 : tensor<8xf32>, tensor<4xf32>
      }
    }
    ```
    Output:
    ```mlir
    %p = nxdt.all_reduce_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], modules = ["", ""],
          reason = "bucket of 2: gradient of a", reasons = ["gradient of a", "gradient of b"], reduction = "sum"}
        : (tensor<8xf32>, tensor<4xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<4xf32>>
    %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<4xf32>> -> tensor<8xf32>, tensor<4xf32>
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

def OverlapCollectives : Pass<"overlap-collectives", "::mlir::ModuleOp"> {
  let summary = "Start collectives early and wait for them late";
  let description = [{
    What a collective does not need goes behind its start, what does not need
    its results goes before its wait: both run while it is under way. Starts
    keep the order that collectives had, the same on all ranks of a stage; an op
    goes behind one start only, so that what it reads is not kept for long. A
    collective that nothing can run beside stays one op.

    Input:
    ```mlir
    %dw = nxdt.weight_grad %dy, %x : tensor<8x4xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
    %0 = nxdt.all_reduce %dx {axes = [#nxdt.axis<tp:(1)2>], reason = "sum", reduction = "sum"} : tensor<8x2xf32> -> tensor<8x2xf32>
    %1 = nxdt.aten "aten::neg"(%0) : (tensor<8x2xf32>) -> tensor<8x2xf32>
    ```
    Output:
    ```mlir
    %p = nxdt.all_reduce_start %dx {axes = [#nxdt.axis<tp:(1)2>], reason = "sum", reduction = "sum"}
        : (tensor<8x2xf32>) -> !nxdt.pending<tensor<8x2xf32>>
    %dw = nxdt.weight_grad %dy, %x : tensor<8x4xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
    %0 = nxdt.wait %p : !nxdt.pending<tensor<8x2xf32>> -> tensor<8x2xf32>
    %1 = nxdt.aten "aten::neg"(%0) : (tensor<8x2xf32>) -> tensor<8x2xf32>
    ```
  }];
  let dependentDialects = ["::nxdt::NxdtDialect"];
}

#endif // NXDT_OVERLAP_PASSES
