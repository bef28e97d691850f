//===- Flops.cpp - floating-point operations of a step --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Flops.h"

#include "nxdt/Passes/Passes.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Registry/OpRegistry.h"
#include "nxdt/Schedule/Actions.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace nxdt;

/// Products of matrices, each with 2 operations per element of a head and pair
/// of a query and a key that it may see.
static double attention(RankedTensorType q, RankedTensorType k, bool causal,
                        double products) {
  ArrayRef<int64_t> s = q.getShape(); // [B, H, S, D]
  double queries = s[2], keys = k.getShape()[2];
  double pairs = queries * keys;
  if (causal)
    pairs = queries * (keys - (queries - 1) / 2);
  return 2 * products * s[0] * s[1] * s[3] * pairs;
}

static constexpr StringLiteral kAttention =
    "aten::_scaled_dot_product_flash_attention_for_cpu";
static constexpr StringLiteral kAttentionBackward =
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward";

/// Copies, casts, constants and what only selects.
static bool onlyMoves(StringRef callee, const OpInfo *info) {
  if (info && info->aliasing != Aliasing::Fresh)
    return true;
  StringRef name = callee.split("::").second.split('.').first;
  if (name.starts_with("new_") || name.ends_with("_like"))
    return true;
  static constexpr StringLiteral kMoves[] = {"_to_copy",
                                             "alias",
                                             "arange",
                                             "cat",
                                             "clone",
                                             "concat",
                                             "constant_pad_nd",
                                             "contiguous",
                                             "copy_",
                                             "detach",
                                             "empty",
                                             "eye",
                                             "fill_",
                                             "flip",
                                             "full",
                                             "gather",
                                             "index_select",
                                             "lift_fresh",
                                             "linspace",
                                             "masked_fill",
                                             "ones",
                                             "repeat",
                                             "repeat_interleave",
                                             "roll",
                                             "scalar_tensor",
                                             "stack",
                                             "tile",
                                             "to",
                                             "tril",
                                             "triu",
                                             "type_as",
                                             "where",
                                             "zero_",
                                             "zeros"};
  return llvm::is_contained(kMoves, name);
}

/// Elements of the largest floating-point tensor.
static double largest(ValueRange operands, TypeRange results) {
  double elements = 0;
  auto take = [&](Type type) {
    auto tensor = cast<RankedTensorType>(type);
    if (isa<FloatType>(tensor.getElementType()))
      elements = std::max(elements, double(tensor.getNumElements()));
  };
  llvm::for_each(operands.getTypes(), take);
  llvm::for_each(results, take);
  return elements;
}

static double flopsOfCall(StringRef callee, ArrayAttr attrs,
                          ValueRange operands, TypeRange results) {
  CallArgs args(attrs, operands);
  if (callee == kAttention) // the scores, and their product with the values
    return attention(args.type(0), args.type(1),
                     args.boolean(4).value_or(false), 2);
  // The scores once more, and the gradients of probabilities, values, queries
  // and keys.
  if (callee == kAttentionBackward)
    return attention(args.type(1), args.type(2),
                     args.boolean(7).value_or(false), 5);
  // Unscale, decay, two moving averages (3 and 4), the step (5).
  if (callee == "aten::_fused_adamw_.tensor_lr")
    return 14 * largest(operands.take_front(1), {});
  const OpInfo *info = OpRegistry::get().lookup(callee);
  if (info && info->flops && !results.empty())
    return info->flops(args, results);
  return onlyMoves(callee, info) ? 0 : largest(operands, results);
}

double nxdt::operatorFlops(Operation *op) {
  if (auto aten = dyn_cast<AtenOp>(op))
    return flopsOfCall(aten.getCallee(), aten.getArgs(), aten.getInputs(),
                       aten->getResultTypes());
  auto vjp = dyn_cast<AtenVjpOp>(op);
  if (!vjp)
    return 0;
  // Of the forward only the gradients' types are at hand.
  const OpInfo *info = OpRegistry::get().lookup(vjp.getCallee());
  SmallVector<Type> results(vjp->getResultTypes());
  if (info && info->infer) {
    FailureOr<ResultTypes> types =
        info->infer(CallArgs(vjp.getArgs(), vjp.getInputs()));
    if (succeeded(types))
      results.assign(types->begin(), types->end());
  }
  return 2 *
         flopsOfCall(vjp.getCallee(), vjp.getArgs(), vjp.getInputs(), results);
}

bool nxdt::makesView(Operation *op) {
  auto aten = dyn_cast<AtenOp>(op);
  const OpInfo *info =
      aten ? OpRegistry::get().lookup(aten.getCallee()) : nullptr;
  return info && info->aliasing == Aliasing::View;
}

void nxdt::forEachProgram(
    ModuleOp module, const plan::Plan &plan, int64_t stage,
    llvm::function_ref<void(func::FuncOp, const plan::Program &)> visit) {
  llvm::StringMap<const plan::Program *> programs;
  for (const plan::Program &program : plan.programs)
    programs[program.name] = &program;
  for (auto func : module.getOps<func::FuncOp>()) {
    auto where = func->getAttrOfType<IntegerAttr>(kStageAttr);
    if (where && where.getInt() != stage)
      continue;
    auto name = func->getAttrOfType<StringAttr>(kProgramAttr);
    if (const plan::Program *program =
            programs.lookup(name ? name.getValue() : func.getName()))
      visit(func, *program);
  }
}

FlopCount nxdt::countFlops(ModuleOp module, const plan::Plan &plan,
                           int64_t stage, int64_t microBatches) {
  FlopCount count;
  forEachProgram(
      module, plan, stage,
      [&](func::FuncOp func, const plan::Program &program) {
        double steps =
            plan::runsOf(plan, program, plan::Stage::Step, microBatches);
        double evaluations =
            plan::runsOf(plan, program, plan::Stage::Evaluation, microBatches);
        bool isPerMicroBatch = plan::useOf(program.name).isPerMicroBatch ||
                               schedule::passOf(program.name);
        for (Operation &op : func.front()) {
          double flops = operatorFlops(&op);
          count.evaluation += evaluations * flops;
          flops *= steps;
          if (!isPerMicroBatch)
            count.optimizer += flops;
          else if (op.hasAttr(kRecomputedAttr))
            count.recomputed += flops;
          else if (isBackward(&op))
            count.backward += flops;
          else
            count.forward += flops;
        }
      });
  return count;
}

double nxdt::programFlops(ModuleOp module, StringRef program) {
  double flops = 0;
  for (auto func : module.getOps<func::FuncOp>()) {
    auto name = func->getAttrOfType<StringAttr>(kProgramAttr);
    if ((name ? name.getValue() : func.getName()) == program)
      for (Operation &op : func.front())
        flops += operatorFlops(&op);
  }
  return flops;
}
