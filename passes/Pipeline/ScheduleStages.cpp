//===- ScheduleStages.cpp - what each stage does, in order ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Layers.h"
#include "nxdt/Schedule/ScheduleText.h"
#include "nxdt/Schedule/Verify.h"

#include "llvm/ADT/StringSet.h"

namespace nxdt {
#define GEN_PASS_DEF_SCHEDULESTAGES
#include "nxdt/Passes/Passes.h.inc"
} // namespace nxdt

using namespace mlir;
using namespace nxdt;

namespace {
struct ScheduleStagesPass : nxdt::impl::ScheduleStagesBase<ScheduleStagesPass> {
  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
  LogicalResult scheduleSteps(StringRef name, bool forwardOnly);
  LogicalResult scheduleUpdate();
  LogicalResult emit(schedule::PipelineSchedule schedule);
  std::vector<schedule::Channel>
  channels(llvm::function_ref<bool(ChannelOp)> filter);
  std::vector<schedule::FreeRule> frees();

  PipelineSettings settings;
};
} // namespace

static bool isEvaluation(ChannelOp channel) {
  return channel.getAfter().starts_with("eval.");
}

std::vector<schedule::Channel>
ScheduleStagesPass::channels(llvm::function_ref<bool(ChannelOp)> filter) {
  std::vector<schedule::Channel> list;
  for (auto op : getOperation().getOps<ChannelOp>())
    if (filter(op))
      list.push_back({op.getSymName().str(), static_cast<int64_t>(op.getFrom()),
                      static_cast<int64_t>(op.getTo()), op.getAfter().str(),
                      op.getBefore().str(), op.getOnce(), 0});
  return list;
}

/// Carried tensors that nobody needs when they have been sent.
std::vector<schedule::FreeRule> ScheduleStagesPass::frees() {
  // Buffers that a program lets go of.
  llvm::StringSet<> dying;
  for (auto func : getOperation().getOps<func::FuncOp>())
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      if (func.getArgAttr(i, kDiesAttr))
        dying.insert(func.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr)
                         .getValue());
  std::vector<schedule::FreeRule> rules;
  for (auto op : getOperation().getOps<ChannelOp>())
    if (!dying.contains(op.getSource()))
      rules.push_back({op.getAfter().str(), op.getSource().str()});
  return rules;
}

LogicalResult ScheduleStagesPass::emit(schedule::PipelineSchedule schedule) {
  schedule::VerifyOptions options;
  // A chunk may depend on nothing.
  options.wantsAllEdges = false;
  if (auto violation = schedule::verify(schedule, options)) {
    InFlightDiagnostic error = getOperation().emitError("schedule '")
                               << schedule.name << "': " << violation->message;
    for (const std::string &line : violation->lines)
      error.attachNote() << line;
    return error;
  }
  OpBuilder builder(&getContext());
  builder.setInsertionPointToEnd(getOperation().getBody());
  for (int64_t stage = 0; stage < schedule.stages; ++stage) {
    std::vector<std::string> actions;
    for (const schedule::Action &action : schedule.actions[stage])
      actions.push_back(schedule::print(action));
    SmallVector<StringRef> texts(actions.begin(), actions.end());
    ScheduleOp::create(builder, getOperation().getLoc(),
                       schedule.name + ".schedule.s" + std::to_string(stage),
                       schedule.name, stage, schedule.microBatches,
                       builder.getStrArrayAttr(texts));
  }
  return success();
}

LogicalResult ScheduleStagesPass::scheduleSteps(StringRef name,
                                                bool forwardOnly) {
  schedule::PipelineProblem problem;
  problem.stages = settings.stages;
  problem.chunksPerStage = settings.chunksPerStage;
  problem.microBatches = settings.microBatches;
  problem.forwardOnly = forwardOnly;
  if (auto reason = schedule::check(problem))
    return getOperation().emitError(*reason) << " [" << settings.origin << "]";
  schedule::ExpandOptions options;
  options.frees = frees();
  return emit(schedule::expand(
      problem, schedule::generate(problem), channels([&](ChannelOp op) {
        if (op.getOnce())
          return !forwardOnly &&
                 op.getAfter().starts_with("export_shared_grads");
        return isEvaluation(op) == forwardOnly;
      }),
      options));
}

LogicalResult ScheduleStagesPass::scheduleUpdate() {
  std::vector<schedule::Channel> shared = channels([](ChannelOp op) {
    return op.getOnce() && op.getAfter().starts_with("export_shared_params");
  });
  if (shared.empty())
    return success();
  return emit(
      schedule::expandOnce("update_step", settings.stages, shared, frees()));
}

LogicalResult ScheduleStagesPass::run() {
  FailureOr<PipelineSettings> read = readPipeline(getOperation());
  if (failed(read))
    return failure();
  settings = *read;
  if (settings.stages == 1)
    return success();
  if (failed(scheduleSteps("train_step", /*forwardOnly=*/false)))
    return failure();
  bool hasEvaluation = llvm::any_of(
      getOperation().getOps<func::FuncOp>(),
      [](func::FuncOp func) { return func.getName().starts_with("eval."); });
  if (hasEvaluation && failed(scheduleSteps("eval_step", /*forwardOnly=*/true)))
    return failure();
  return scheduleUpdate();
}
