//===- NxdtBase.td - dialect and attributes ----------------*- tablegen -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_BASE
#define NXDT_BASE

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Nxdt_Dialect : Dialect {
  let name = "nxdt";
  let cppNamespace = "::nxdt";
  let summary = "Training steps of neural networks, from capture to plan";
  let description = [{
    Tensors are builtin `tensor<...>` values with static shapes. Operators that
    no pass needs to look into stay `nxdt.aten`, one op for the whole operator
    library of libtorch; what a pass does need to look into has an op of its
    own. Scalars are attributes, never values.

    State that outlives a program is declared by `nxdt.buffer`. A program is a
    `func.func` whose arguments read buffers and whose results write them, both
    named by the attribute `nxdt.buffer`:

    ```mlir
    nxdt.buffer @w {role = "param", init = {kind = "normal", std = 0.02}} : tensor<8x4xf32>
    nxdt.buffer @x {role = "input"} : tensor<2x4xf32>
    nxdt.buffer @y {role = "scalar"} : tensor<2x8xf32>
    func.func @train_step(%x: tensor<2x4xf32> {nxdt.buffer = @x},
                          %w: tensor<8x4xf32> {nxdt.buffer = @w})
        -> (tensor<2x8xf32> {nxdt.buffer = @y}) {
      %0 = nxdt.aten "aten::linear"(%x, %w, none)
          : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
      return %0 : tensor<2x8xf32>
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 0;
}

class Nxdt_Attr<string name, string attrMnemonic> : AttrDef<Nxdt_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Nxdt_OperandAttr : Nxdt_Attr<"Operand", "operand"> {
  let summary = "The place of the next tensor operand in a schema's argument list";
}

def Nxdt_NoneAttr : Nxdt_Attr<"None", "none"> {
  let summary = "An absent argument of a schema (`None` in Python)";
}

def Nxdt_DeviceAttr : Nxdt_Attr<"Device", "device"> {
  let summary = "The device of the run, wherever a schema wants one";
  let description = "Programs never name a device; the plan does, once.";
}

#endif // NXDT_BASE
