//===- Comparisons.cpp - operators that answer yes or no ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

static Infer inferCompare(const CallArgs &args) {
  RankedTensorType a = args.type(0), b = args.type(1);
  if (!a)
    return failure();
  Type boolean = i1(a.getElementType());
  if (b)
    return broadcastResult({a, b}, boolean);
  return ResultTypes{withElement(a, boolean)};
}

void nxdt::registerComparisons(OpRegistry &registry) {
  for (StringRef op : {"eq", "ne", "lt", "le", "gt", "ge"})
    for (StringRef overload : {"Tensor", "Scalar"})
      constant(registry, ("aten::" + op + "." + overload).str(), elementwise())
          .infer = inferCompare;
  for (StringRef name :
       {"aten::logical_not", "aten::logical_and", "aten::logical_or",
        "aten::logical_xor", "aten::isnan", "aten::isinf", "aten::isfinite"})
    constant(registry, name, elementwise()).infer = inferCompare;
  constant(registry, "aten::bitwise_not", elementwise()).infer = inferSame;
  for (StringRef op : {"and", "or", "xor"}) {
    constant(registry, ("aten::bitwise_" + op + ".Tensor").str(), elementwise())
        .infer = inferBinary;
    constant(registry, ("aten::bitwise_" + op + ".Scalar").str(), elementwise())
        .infer = inferScalar;
  }
}
