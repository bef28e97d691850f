//===- Indexing.cpp - look-ups by index -----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

void nxdt::registerIndexing(OpRegistry &registry) {
  // embedding(weight, indices, padding_idx, scale_grad_by_freq, sparse)
  auto &embedding = registry.add("aten::embedding");
  embedding.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType weight = args.type(0), ids = args.type(1);
    if (!weight || !ids || weight.getRank() != 2)
      return failure();
    SmallVector<int64_t> shape(ids.getShape());
    shape.push_back(weight.getDimSize(1));
    return ResultTypes{RankedTensorType::get(shape, weight.getElementType())};
  };
  embedding.vjp = [](VjpContext &ctx) {
    ctx.set(0, ctx.call("aten::embedding_dense_backward",
                        {ctx.grad(), ctx.in(1), ctx.type(0).getDimSize(0),
                         ctx.args.integer(2).value_or(-1),
                         ctx.args.boolean(3).value_or(false)}));
  };
  embedding.flops = [](const CallArgs &, TypeRange) { return 0.0; };
  auto &backward = registry.add("aten::embedding_dense_backward");
  backward.infer = [](const CallArgs &args) -> FailureOr<ResultTypes> {
    RankedTensorType grad = args.type(0);
    if (!grad || !grad.getRank() || !args.integer(2))
      return failure();
    return ResultTypes{RankedTensorType::get(
        {*args.integer(2), grad.getShape().back()}, grad.getElementType())};
  };
}
