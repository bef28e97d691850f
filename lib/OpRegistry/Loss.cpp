//===- Loss.cpp - the kernels of the loss ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

// What nxdt.cross_entropy is lowered to; built after autodiff only.
void nxdt::registerLoss(OpRegistry &registry) {
  // (self [N, C], target [N], weight, reduction, ignore_index), reduced to a
  // sum or a mean, and the weight of what was summed.
  registry.add("aten::nll_loss_forward").infer =
      [](const CallArgs &args) -> Infer {
    auto reduction = args.integer(3);
    if (!args.type(0) || !reduction || *reduction == 0)
      return failure();
    auto scalar = RankedTensorType::get({}, args.type(0).getElementType());
    return ResultTypes{scalar, scalar};
  };
  // (grad_output, self, target, weight, reduction, ignore_index, total_weight)
  registry.add("aten::nll_loss_backward").infer =
      [](const CallArgs &args) -> Infer {
    if (!args.type(1))
      return failure();
    return ResultTypes{args.type(1)};
  };
}
