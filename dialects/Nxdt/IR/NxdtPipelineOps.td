//===- NxdtPipelineOps.td - stages of a pipeline -----------*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PIPELINE_OPS
#define NXDT_PIPELINE_OPS

// Included by NxdtOps.td, which has the base classes.

def Nxdt_StageTermOp : Nxdt_Op<"stage_term", [Pure]> {
  let summary = "The value of one stage as a term of a sum over all stages";
  let description = [{
    Only the stage that computes the input has it; the others hold zero. The
    result is partial over `pp` in addition, and so it cannot be used as a whole
    value before it is summed over the stages.

    ```mlir
    %1 = nxdt.stage_term %0 : tensor<f64, #nxdt.sharding<#mesh, [], partial [dp]>> -> tensor<f64, #nxdt.sharding<#mesh, [], partial [pp, dp]>>
    ```
  }];
  let arguments = (ins Nxdt_Tensor:$input);
  let results = (outs Nxdt_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Nxdt_ChannelOp : Nxdt_Op<"channel", [Symbol]> {
  let summary = "A way between two stages for one tensor per micro-batch";
  let description = [{
    `from` and `to` are coordinates along `pp`. What the buffer `source` holds
    on the one becomes what `target` holds on the other, between ranks that
    differ along `pp` only. Tensors arrive in the order in which they were sent.
    The program `after` makes the tensor, `before` needs it; with `once` there
    is one per step.

    ```mlir
    nxdt.channel @x.0-1 from 0 @x.0 to 1 @x.1 {after = "forward.0", before = "forward.1", reason = "result of model.layers.1"}
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    I64Attr:$from,
    FlatSymbolRefAttr:$source,
    I64Attr:$to,
    FlatSymbolRefAttr:$target,
    StrAttr:$after,
    StrAttr:$before,
    StrAttr:$reason,
    UnitAttr:$once);
  let assemblyFormat = [{
    $sym_name `from` $from $source `to` $to $target attr-dict
  }];
  let hasVerifier = 1;
}

def Nxdt_ScheduleOp : Nxdt_Op<"schedule", [Symbol]> {
  let summary = "What a stage does, action by action";
  let description = [{
    Stands for the program `program` of one stage. An action is `run`, `send`,
    `recv`, `wait` or `free`, the name of a program, channel or buffer, and a
    micro-batch.

    ```mlir
    nxdt.schedule @train_step.s1 {program = "train_step", stage = 1 : i64, micro_batches = 2 : i64, actions = [
      "recv x.0.1 0",
      "wait x.0.1 0",
      "run forward.1 0"]}
    ```
  }];
  let arguments = (ins
    SymbolNameAttr:$sym_name,
    StrAttr:$program,
    I64Attr:$stage,
    I64Attr:$micro_batches,
    StrArrayAttr:$actions);
  let assemblyFormat = "$sym_name attr-dict";
}

#endif // NXDT_PIPELINE_OPS
