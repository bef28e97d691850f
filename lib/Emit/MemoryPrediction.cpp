//===- MemoryPrediction.cpp - bytes a plan will take ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Emit/MemoryPrediction.h"

#include "nxdt/Registry/OpRegistry.h"

#include <algorithm>
#include <map>
#include <optional>

using namespace nxdt;
using namespace nxdt::plan;

static int64_t bytes(DType dtype, const std::vector<int64_t> &shape) {
  int64_t size = byteSize(dtype);
  for (int64_t dim : shape)
    size *= dim;
  return size;
}

namespace {
/// Reference counts of storages, and when most bytes are held.
class Heap {
public:
  /// A storage with one user.
  int32_t allocate(int64_t size, LiveTensor what) {
    storages.push_back({size, 1, std::move(what)});
    live += size;
    return static_cast<int32_t>(storages.size() - 1);
  }
  void use(int32_t storage) {
    if (storage >= 0)
      ++storages[storage].users;
  }
  void release(int32_t storage) {
    if (storage >= 0 && --storages[storage].users == 0)
      live -= storages[storage].size;
  }
  /// Something was made: asks whether there never was more.
  void look(const std::string &program, const std::string &module,
            const std::string &op) {
    ++moment;
    if (moment == wanted) {
      found.program = program;
      found.module = module;
      found.op = op;
      found.bytes = live;
      for (const Storage &storage : storages)
        if (storage.users > 0)
          found.tensors.push_back(storage.what);
    }
    if (live > highest) {
      highest = live;
      highestAt = moment;
    }
  }

  int64_t highest = 0;
  int64_t highestAt = 0;
  int64_t wanted = -1; ///< moment to fill `found` at
  Peak found;

private:
  struct Storage {
    int64_t size = 0;
    int64_t users = 0;
    LiveTensor what;
  };
  std::vector<Storage> storages;
  int64_t live = 0;
  int64_t moment = 0;
};

/// Runs a plan's programs and schedules without tensors.
class Simulation {
public:
  Simulation(const Plan &plan, Heap &heap) : plan(plan), heap(heap) {}

  void run() {
    for (const Schedule &schedule : plan.schedules)
      runSchedule(schedule);
    for (const Program &program : plan.programs)
      if (!isScheduled(program))
        runProgram(program, 0);
  }

private:
  struct Tensor {
    int32_t storage = -1; ///< -1: a buffer's or a buffer's view
    bool dense = true;
  };
  using Key = std::pair<int32_t, int64_t>; ///< index, micro-batch

  bool isCarry(int32_t buffer) const {
    return buffer >= 0 && plan.buffers[buffer].role == Role::Carry;
  }

  bool isScheduled(const Program &program) const {
    for (const Schedule &schedule : plan.schedules)
      for (const Action &action : schedule.actions)
        if (action.kind == ActionKind::Run &&
            &plan.programs[action.index] == &program)
          return true;
    return false;
  }

  void runSchedule(const Schedule &schedule) {
    std::map<Key, Tensor> underway; // by channel
    for (const Action &action : schedule.actions) {
      Key key(action.index, action.microBatch);
      switch (action.kind) {
      case ActionKind::Run:
        runProgram(plan.programs[action.index], action.microBatch);
        break;
      case ActionKind::Recv: {
        const Channel &channel = plan.channels[action.index];
        const Buffer &buffer = plan.buffers[channel.buffer];
        int64_t size = bytes(buffer.dtype, buffer.shape);
        underway[key] = {
            heap.allocate(
                size, {channel.name, "recv", buffer.dtype, buffer.shape, size}),
            true};
        heap.look(schedule.name, channel.name, "recv");
        break;
      }
      case ActionKind::Send: {
        Tensor sent =
            carries[{plan.channels[action.index].buffer, action.microBatch}];
        heap.use(sent.storage);
        underway[key] = sent;
        break;
      }
      case ActionKind::Wait: {
        const Channel &channel = plan.channels[action.index];
        if (channel.isSend)
          heap.release(underway[key].storage);
        else
          carries[{channel.buffer, action.microBatch}] = underway[key];
        underway.erase(key);
        break;
      }
      case ActionKind::Free:
        heap.release(carries[key].storage);
        carries.erase(key);
        break;
      }
    }
  }

  void runProgram(const Program &program, int64_t microBatch) {
    std::vector<Tensor> tensors(program.values.size());
    for (size_t i = 0; i < program.values.size(); ++i) {
      auto carried = carries.find({program.values[i].buffer, microBatch});
      if (carried != carries.end())
        tensors[i] = carried->second;
    }
    for (const Instruction &instruction : program.instructions) {
      execute(program, instruction, tensors);
      heap.look(program.name, instruction.module, instruction.op);
      for (int32_t value : instruction.frees) {
        heap.release(tensors[value].storage);
        if (isCarry(program.values[value].buffer))
          carries.erase({program.values[value].buffer, microBatch});
      }
      for (int32_t out : instruction.outs)
        if (out >= 0 && isCarry(program.values[out].buffer))
          carries[{program.values[out].buffer, microBatch}] = tensors[out];
    }
  }

  void execute(const Program &program, const Instruction &instruction,
               std::vector<Tensor> &tensors) {
    for (int32_t out : instruction.outs) {
      if (out < 0)
        continue;
      const Value &value = program.values[out];
      // A collective writes into the buffer itself.
      if (instruction.kind == OpKind::Collective && value.buffer >= 0 &&
          !isCarry(value.buffer))
        continue;
      if (std::optional<Tensor> shared =
              aliased(program, instruction, out, tensors)) {
        tensors[out] = *shared;
        heap.use(shared->storage);
        continue;
      }
      int64_t size = bytes(value.dtype, value.shape);
      tensors[out] = {heap.allocate(size, {instruction.module, instruction.op,
                                           value.dtype, value.shape, size}),
                      true};
    }
  }

  /// What a result is if it shares an operand's storage.
  std::optional<Tensor> aliased(const Program &program,
                                const Instruction &instruction, int32_t out,
                                const std::vector<Tensor> &tensors) const {
    if (instruction.kind == OpKind::Collective) {
      if (instruction.collective != Collective::AllSlice)
        return std::nullopt;
      int32_t base = std::get<ValueRef>(instruction.args[0]).index;
      // Rows of a dense tensor are dense, columns are not.
      const std::vector<int64_t> &shape = program.values[base].shape;
      int64_t outer = 1;
      for (int64_t dim = 0; dim < instruction.dim; ++dim)
        outer *= shape[dim];
      return Tensor{tensors[base].storage, tensors[base].dense && outer == 1};
    }
    if (instruction.kind != OpKind::Aten || instruction.args.empty())
      return std::nullopt;
    const OpInfo *info = OpRegistry::get().lookup(instruction.op);
    auto *operand = std::get_if<ValueRef>(&instruction.args[0]);
    if (!info || !operand || operand->index < 0)
      return std::nullopt;
    int32_t base = operand->index;
    const Value &from = program.values[base], &to = program.values[out];
    bool returnsSelf = info->returnsSelfIfSameType && from.dtype == to.dtype &&
                       from.shape == to.shape;
    if (info->aliasing == Aliasing::Fresh && !returnsSelf)
      return std::nullopt;
    if (info->aliasing == Aliasing::MaybeView && !tensors[base].dense)
      return std::nullopt;
    return Tensor{tensors[base].storage,
                  tensors[base].dense && (returnsSelf || info->keepsOrder)};
  }

  const Plan &plan;
  Heap &heap;
  /// What lives from one program to another.
  std::map<Key, Tensor> carries;
};
} // namespace

void nxdt::predictMemory(Plan &plan) {
  MemoryReport &report = plan.memory;
  report = {};
  for (const Buffer &buffer : plan.buffers) {
    int64_t size = bytes(buffer.dtype, buffer.shape);
    switch (buffer.role) {
    case Role::Param:
      report.paramBytes += size;
      break;
    case Role::Master:
      report.masterBytes += size;
      break;
    case Role::Grad:
    case Role::ReducedGrad:
      report.gradBytes += size;
      break;
    case Role::OptState:
      report.optStateBytes += size;
      break;
    case Role::Buffer:
    case Role::Input:
    case Role::Scalar:
    case Role::Coordinate:
      report.otherBytes += size;
      break;
    case Role::Carry: // an activation
      break;
    }
  }
  Heap heap;
  Simulation(plan, heap).run();
  report.peakActivationBytes = heap.highest;
}

Peak nxdt::peakOf(const Plan &plan) {
  Heap first;
  Simulation(plan, first).run();
  if (first.highest == 0)
    return {};
  Heap again;
  again.wanted = first.highestAt;
  Simulation(plan, again).run();
  Peak peak = std::move(again.found);
  std::stable_sort(peak.tensors.begin(), peak.tensors.end(),
                   [](const LiveTensor &a, const LiveTensor &b) {
                     return a.bytes > b.bytes;
                   });
  return peak;
}
