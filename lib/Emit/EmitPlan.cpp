//===- EmitPlan.cpp - IR to the plans of all stages -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Emit/EmitPlan.h"

#include "EmitProgram.h"
#include "Nxdt/IR/Sharding.h"
#include "nxdt/Emit/MemoryPrediction.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Schedule/ScheduleText.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace nxdt;

namespace {
/// Emits one stage's plan, or the only one.
class StageEmitter {
public:
  StageEmitter(ModuleOp module, std::optional<int64_t> stage)
      : module(module), mesh(module->getAttrOfType<MeshAttr>(kMeshAttr)),
        stage(stage) {}

  FailureOr<plan::Plan> run();

private:
  bool isHere(func::FuncOp func) const;
  void findUsed();
  LogicalResult emitBuffers();
  LogicalResult emitPrograms();
  void emitChannels();
  LogicalResult emitSchedule(ScheduleOp op);

  ModuleOp module;
  MeshAttr mesh;
  std::optional<int64_t> stage;
  plan::Plan result;
  llvm::StringSet<> used;
  llvm::StringMap<int32_t> buffers, programs, channels;
  /// By program: carried tensors that it is the last to have, and never reads.
  llvm::StringMap<SmallVector<int32_t>> unread;
};
} // namespace

bool StageEmitter::isHere(func::FuncOp func) const {
  auto where = func->getAttrOfType<IntegerAttr>(kStageAttr);
  return !stage || (where && where.getInt() == *stage);
}

void StageEmitter::findUsed() {
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!isHere(func))
      continue;
    auto add = [&](FlatSymbolRefAttr name) {
      if (name)
        used.insert(name.getValue());
    };
    for (unsigned i = 0; i < func.getNumArguments(); ++i)
      add(func.getArgAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr));
    for (unsigned i = 0; i < func.getNumResults(); ++i)
      add(func.getResultAttrOfType<FlatSymbolRefAttr>(i, kBufferAttr));
  }
  for (auto channel : module.getOps<ChannelOp>()) {
    if (stage && static_cast<int64_t>(channel.getFrom()) == *stage)
      used.insert(channel.getSource());
    if (stage && static_cast<int64_t>(channel.getTo()) == *stage)
      used.insert(channel.getTarget());
  }
}

LogicalResult StageEmitter::emitBuffers() {
  for (auto op : module.getOps<BufferOp>()) {
    if (auto tied = op.getTied())
      for (auto alias : tied->getAsRange<StringAttr>())
        result.tied.emplace_back(alias.str(), op.getSymName().str());
    if (stage && !used.contains(op.getSymName()))
      continue;
    FailureOr<plan::Buffer> buffer = emitBuffer(op, mesh);
    if (failed(buffer))
      return failure();
    buffers[buffer->name] = result.buffers.size();
    result.buffers.push_back(std::move(*buffer));
  }
  return success();
}

LogicalResult StageEmitter::emitPrograms() {
  for (auto func : module.getOps<func::FuncOp>()) {
    if (!isHere(func))
      continue;
    FailureOr<plan::Program> program = emitProgram(func, buffers, mesh);
    if (failed(program))
      return failure();
    programs[program->name] = result.programs.size();
    for (BlockArgument argument : func.getArguments()) {
      unsigned number = argument.getArgNumber();
      if (func.getArgAttr(number, kDiesAttr) && argument.use_empty())
        unread[program->name].push_back(buffers.lookup(
            func.getArgAttrOfType<FlatSymbolRefAttr>(number, kBufferAttr)
                .getValue()));
    }
    result.programs.push_back(std::move(*program));
  }
  return success();
}

void StageEmitter::emitChannels() {
  for (auto op : module.getOps<ChannelOp>()) {
    bool isSend = static_cast<int64_t>(op.getFrom()) == *stage;
    if (!isSend && static_cast<int64_t>(op.getTo()) != *stage)
      continue;
    channels[op.getSymName()] = result.channels.size();
    result.channels.push_back(
        {op.getSymName().str(), isSend,
         static_cast<int64_t>(isSend ? op.getTo() : op.getFrom()),
         buffers.lookup(isSend ? op.getSource() : op.getTarget()),
         op.getReason().str()});
  }
}

LogicalResult StageEmitter::emitSchedule(ScheduleOp op) {
  plan::Schedule schedule;
  schedule.name = op.getProgram().str();
  schedule.microBatches = op.getMicroBatches();
  for (auto text : op.getActions().getAsRange<StringAttr>()) {
    auto parsed = schedule::parseAction(text.getValue());
    if (!parsed.value)
      return op.emitOpError("'") << text.getValue() << "': " << parsed.error;
    const schedule::Action &action = *parsed.value;
    const llvm::StringMap<int32_t> &names =
        action.kind == plan::ActionKind::Run    ? programs
        : action.kind == plan::ActionKind::Free ? buffers
                                                : channels;
    auto found = names.find(action.name);
    if (found == names.end())
      return op.emitOpError("'") << text.getValue() << "': stage " << *stage
                                 << " has no '" << action.name << "'";
    schedule.actions.push_back({action.kind, found->second, action.microBatch});
    if (action.kind == plan::ActionKind::Run)
      for (int32_t buffer : unread.lookup(action.name))
        schedule.actions.push_back(
            {plan::ActionKind::Free, buffer, action.microBatch});
  }
  result.schedules.push_back(std::move(schedule));
  return success();
}

FailureOr<plan::Plan> StageEmitter::run() {
  if (mesh)
    for (auto [name, size] : llvm::zip(mesh.getNames(), mesh.getSizes()))
      result.mesh.emplace_back(name.str(), size);
  findUsed();
  if (failed(emitBuffers()) || failed(emitPrograms()))
    return failure();
  if (stage) {
    emitChannels();
    for (auto op : module.getOps<ScheduleOp>())
      if (static_cast<int64_t>(op.getStage()) == *stage &&
          failed(emitSchedule(op)))
        return failure();
  }
  predictMemory(result);
  return std::move(result);
}

FailureOr<plan::PlanFamily> nxdt::emitFamily(ModuleOp module) {
  plan::PlanFamily family;
  auto mesh = module->getAttrOfType<MeshAttr>(kMeshAttr);
  AxisAttr pp = mesh ? wholeAxis(mesh, "pp") : AxisAttr();
  int64_t stages = pp ? pp.getSize() : 1;
  for (int64_t stage = 0; stage < stages; ++stage) {
    FailureOr<plan::Plan> plan =
        StageEmitter(module, stages > 1 ? std::optional(stage) : std::nullopt)
            .run();
    if (failed(plan))
      return failure();
    family.stages.push_back(std::move(*plan));
  }
  return family;
}

FailureOr<plan::Plan> nxdt::emitPlan(ModuleOp module) {
  FailureOr<plan::PlanFamily> family = emitFamily(module);
  if (failed(family))
    return failure();
  if (family->stages.size() != 1)
    return module.emitError("is for the ")
           << family->stages.size() << " stages of a pipeline";
  return std::move(family->stages.front());
}
