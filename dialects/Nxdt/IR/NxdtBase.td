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
include "mlir/IR/BuiltinTypes.td"
include "mlir/IR/TensorEncoding.td"

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
  let useDefaultTypePrinterParser = 1;
  let hasOperationAttrVerify = 0;
}

class Nxdt_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Nxdt_Dialect, name, traits> {
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

//===----------------------------------------------------------------------===//
// Meshes and shardings
//===----------------------------------------------------------------------===//

def Nxdt_MeshAttr : Nxdt_Attr<"Mesh", "mesh"> {
  let summary = "The grid of ranks: axis names and sizes, outermost first";
  let description = [{
    Ranks are numbered row-major over the axes, the last one fastest.

    ```mlir
    #mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$names,
                        ArrayRefParameter<"int64_t">:$sizes);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Size of an axis; 0 if there is none of that name.
    int64_t sizeOf(::llvm::StringRef axis) const;
    int64_t numRanks() const;
  }];
}

def Nxdt_AxisAttr : Nxdt_Attr<"Axis", "axis"> {
  let summary = "A mesh axis, or the part of one";
  let description = [{
    `tp:(2)4` is the part of size 4 that comes after a first 2: rank t of `tp`
    (size 8) has coordinate t % 4 on it, and t / 4 on `tp:(1)2`. The whole axis
    is the part of its size after 1, printed as its name alone inside shardings.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$pre, "int64_t":$size);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// Whether two parts share ranks' coordinates.
    bool overlaps(AxisAttr other) const;
  }];
}

def Nxdt_ShardingAttr : Nxdt_Attr<"Sharding", "sharding", [VerifiableTensorEncoding]> {
  let summary = "How a tensor lies on the mesh; the encoding of its type";
  let description = [{
    Per dimension the axes that split it, major to minor, and the axes over
    which each rank holds one term of a sum (`partial`) or one candidate of a
    maximum (`partial max`). An axis that is in neither replicates. Axes appear
    once, `pp` splits nothing, and only floats and integers wider than a bit can
    be partial.

    A dimension that does not divide is split into parts of ceil(size / axis
    size), at each of its axes in turn; the last parts are padded.

    ```mlir
    tensor<8x64x512xf32, #nxdt.sharding<#mesh, [[dp], [], [tp]]>>
    tensor<8x64x64xf32, #nxdt.sharding<#mesh, [[dp], [], []], partial [tp]>>
    ```
  }];
  let parameters = (ins "::nxdt::MeshAttr":$mesh,
                        ArrayRefParameter<"::mlir::ArrayAttr">:$dims,
                        "::mlir::ArrayAttr":$partial,
                        "::nxdt::Reduction":$reduction);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    // VerifiableTensorEncoding.
    ::llvm::LogicalResult verifyEncoding(
        ::llvm::ArrayRef<int64_t> shape, ::mlir::Type elementType,
        ::llvm::function_ref<::mlir::InFlightDiagnostic()> emitError) const;

    /// Number of parts that a dimension is split into.
    int64_t partsOf(unsigned dim) const;
    bool isPartial() const { return !getPartial().empty(); }
    /// Neither split nor partial.
    bool isReplicated() const;
    /// Whether the last parts of a dimension of this size are padded.
    bool isPadded(unsigned dim, int64_t size) const;
    ::llvm::SmallVector<::nxdt::AxisAttr> axesOf(unsigned dim) const;
    ::llvm::SmallVector<::nxdt::AxisAttr> partialAxes() const;
  }];
}

//===----------------------------------------------------------------------===//
// Collectives that are under way
//===----------------------------------------------------------------------===//

def Nxdt_Pending : TypeDef<Nxdt_Dialect, "Pending"> {
  let mnemonic = "pending";
  let summary = "The results of a collective that was started";
  let description = [{
    Waited for exactly once; until then neither the results are there nor may
    the operands change.

    ```mlir
    !nxdt.pending<tensor<4xf32>, tensor<2x8xf32>>
    ```
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::Type">:$types);
  let assemblyFormat = "`<` $types `>`";
  let genVerifyDecl = 1;
}

#endif // NXDT_BASE
