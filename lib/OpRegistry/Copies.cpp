//===- Copies.cpp - casts and what returns its operand ---===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

static void passThrough(VjpContext &ctx) { ctx.set(0, ctx.grad()); }

/// A cast: the gradient is cast back by VjpContext::set.
static OpInfo &cast(OpRegistry &registry, StringRef callee, unsigned dtype) {
  OpInfo &info = registry.add(callee);
  info.infer = [dtype](const CallArgs &args) -> Infer {
    RankedTensorType type = args.type(0);
    if (!type)
      return failure();
    Type element = args.dtype(dtype);
    return ResultTypes{element ? withElement(type, element) : type};
  };
  info.vjp = passThrough;
  info.sharding = linearElementwise();
  return info;
}

/// Operand 1 says only a type.
static ShardingRule likeOther(AtenOp op, const CallArgs &) {
  ShardingRule rule;
  TensorFactors shared = newFactors(rule, resultShape(op), FactorKind::Map);
  rule.operands = {shared,
                   newFactors(rule, operandShape(op, 1), FactorKind::Map)};
  rule.results = {shared};
  rule.linearEach({0});
  return rule;
}

static Infer inferOther(const CallArgs &args) {
  if (!args.type(0) || !args.type(1))
    return failure();
  return ResultTypes{withElement(args.type(0), args.type(1).getElementType())};
}

void nxdt::registerCopies(OpRegistry &registry) {
  cast(registry, "aten::to.dtype", 1).returnsSelfIfSameType = true;
  cast(registry, "aten::to.dtype_layout", 1).returnsSelfIfSameType = true;
  cast(registry, "aten::to.device", 2).returnsSelfIfSameType = true;
  cast(registry, "aten::_to_copy", 1);
  for (StringRef name : {"aten::to.other", "aten::type_as"})
    add(registry, name, likeOther, inferOther, passThrough)
        .returnsSelfIfSameType = true;

  auto same = [&](StringRef callee, Aliasing aliasing) {
    OpInfo &info =
        add(registry, callee, linearElementwise(), inferSame, passThrough);
    info.aliasing = aliasing;
    info.keepsOrder = aliasing != Aliasing::Fresh;
  };
  same("aten::clone", Aliasing::Fresh);
  same("aten::contiguous", Aliasing::MaybeView);
  same("aten::alias", Aliasing::View);
  same("aten::lift_fresh", Aliasing::View);
  // Legal at capture only where it is the identity (p = 0 or not training).
  same("aten::dropout", Aliasing::View);
  OpInfo &detach = constant(registry, "aten::detach", linearElementwise());
  detach.infer = inferSame;
  detach.aliasing = Aliasing::View;
  detach.keepsOrder = true;
}
