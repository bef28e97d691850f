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
  /// What a storage is for: told only where it is asked for.
  struct Maker {
    const Plan *plan = nullptr;
    const Program *program = nullptr; ///< null: what a channel receives
    int32_t index = -1;               ///< instruction, or channel
    int32_t value = -1;
  };
  /// A storage with one user.
  int32_t allocate(int64_t size, Maker maker) {
    live += size;
    if (!unused.empty()) {
      int32_t storage = unused.back();
      unused.pop_back();
      storages[storage] = {size, 1, maker};
      return storage;
    }
    storages.push_back({size, 1, maker});
    return static_cast<int32_t>(storages.size() - 1);
  }
  void use(int32_t storage) {
    if (storage >= 0)
      ++storages[storage].users;
  }
  void release(int32_t storage) {
    if (storage < 0 || --storages[storage].users > 0)
      return;
    live -= storages[storage].size;
    unused.push_back(storage);
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
          found.tensors.push_back(tell(storage));
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
    Maker maker;
  };

  static LiveTensor tell(const Storage &storage) {
    const Maker &maker = storage.maker;
    if (!maker.program) {
      const Channel &channel = maker.plan->channels[maker.index];
      const Buffer &buffer = maker.plan->buffers[channel.buffer];
      return {channel.name, "recv", buffer.dtype, buffer.shape, storage.size};
    }
    const Instruction &instruction = maker.program->instructions[maker.index];
    const Value &value = maker.program->values[maker.value];
    return {instruction.module, instruction.op, value.dtype, value.shape,
            storage.size};
  }

  std::vector<Storage> storages;
  std::vector<int32_t> unused;
  int64_t live = 0;
  int64_t moment = 0;
};

/// What memory sees of an instruction. A schedule runs a program hundreds of
/// times: everything that can be known before is.
struct Effect {
  enum class Sharing { Never, Always, IfDense };
  struct Result {
    int32_t value = -1;
    int64_t size = 0;
    int32_t base = -1; ///< whose storage it may share
    Sharing sharing = Sharing::Never;
    bool keepsDense = false;
  };
  std::vector<Result> results;
};

class Effects {
public:
  Effects(const Plan &plan, const Program &program) {
    for (const Instruction &instruction : program.instructions) {
      Effect effect;
      for (int32_t out : instruction.outs) {
        if (out < 0)
          continue;
        const Value &value = program.values[out];
        // A collective writes into the buffer itself.
        if (instruction.kind == OpKind::Collective && value.buffer >= 0 &&
            plan.buffers[value.buffer].role != Role::Carry)
          continue;
        effect.results.push_back(resultOf(program, instruction, out));
      }
      list.push_back(std::move(effect));
    }
  }

  const Effect &operator[](size_t index) const { return list[index]; }

private:
  static Effect::Result resultOf(const Program &program,
                                 const Instruction &instruction, int32_t out) {
    const Value &to = program.values[out];
    Effect::Result result;
    result.value = out;
    result.size = bytes(to.dtype, to.shape);
    if (instruction.kind == OpKind::Collective) {
      if (instruction.collective != Collective::AllSlice)
        return result;
      result.base = std::get<ValueRef>(instruction.args[0]).index;
      result.sharing = Effect::Sharing::Always;
      // Rows of a dense tensor are dense, columns are not.
      const std::vector<int64_t> &shape = program.values[result.base].shape;
      int64_t outer = 1;
      for (int64_t dim = 0; dim < instruction.dim; ++dim)
        outer *= shape[dim];
      result.keepsDense = outer == 1;
      return result;
    }
    if (instruction.kind != OpKind::Aten || instruction.args.empty())
      return result;
    const OpInfo *info = OpRegistry::get().lookup(instruction.op);
    auto *operand = std::get_if<ValueRef>(&instruction.args[0]);
    if (!info || !operand || operand->index < 0)
      return result;
    const Value &from = program.values[operand->index];
    bool returnsSelf = info->returnsSelfIfSameType && from.dtype == to.dtype &&
                       from.shape == to.shape;
    if (info->aliasing == Aliasing::Fresh && !returnsSelf)
      return result;
    result.base = operand->index;
    result.sharing = info->aliasing == Aliasing::MaybeView
                         ? Effect::Sharing::IfDense
                         : Effect::Sharing::Always;
    result.keepsDense = returnsSelf || info->keepsOrder;
    return result;
  }

  std::vector<Effect> list;
};

/// Runs a plan's programs and schedules without tensors.
class Simulation {
public:
  Simulation(const Plan &plan, Heap &heap) : plan(plan), heap(heap) {
    for (const Program &program : plan.programs)
      effects.emplace_back(plan, program);
  }

  void run() {
    std::vector<bool> isScheduled(plan.programs.size());
    for (const Schedule &schedule : plan.schedules) {
      for (const Action &action : schedule.actions)
        if (action.kind == ActionKind::Run)
          isScheduled[action.index] = true;
      runSchedule(schedule);
    }
    for (size_t i = 0; i < plan.programs.size(); ++i)
      if (!isScheduled[i])
        runProgram(i, 0);
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

  void runSchedule(const Schedule &schedule) {
    std::map<Key, Tensor> underway; // by channel
    for (const Action &action : schedule.actions) {
      Key key(action.index, action.microBatch);
      switch (action.kind) {
      case ActionKind::Run:
        runProgram(action.index, action.microBatch);
        break;
      case ActionKind::Recv: {
        const Channel &channel = plan.channels[action.index];
        const Buffer &buffer = plan.buffers[channel.buffer];
        underway[key] = {heap.allocate(bytes(buffer.dtype, buffer.shape),
                                       {&plan, nullptr, action.index, -1}),
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

  void runProgram(size_t index, int64_t microBatch) {
    const Program &program = plan.programs[index];
    std::vector<Tensor> tensors(program.values.size());
    for (size_t i = 0; i < program.values.size(); ++i) {
      if (!isCarry(program.values[i].buffer))
        continue;
      auto carried = carries.find({program.values[i].buffer, microBatch});
      if (carried != carries.end())
        tensors[i] = carried->second;
    }
    for (size_t at = 0; at < program.instructions.size(); ++at) {
      const Instruction &instruction = program.instructions[at];
      for (const Effect::Result &result : effects[index][at].results) {
        Tensor &made = tensors[result.value];
        made = {-1, true};
        if (result.sharing == Effect::Sharing::Always ||
            (result.sharing == Effect::Sharing::IfDense &&
             tensors[result.base].dense)) {
          const Tensor &base = tensors[result.base];
          made = {base.storage, base.dense && result.keepsDense};
          heap.use(made.storage);
        } else {
          made.storage = heap.allocate(
              result.size,
              {&plan, &program, static_cast<int32_t>(at), result.value});
        }
        if (isCarry(program.values[result.value].buffer))
          carries[{program.values[result.value].buffer, microBatch}] = made;
      }
      heap.look(program.name, instruction.module, instruction.op);
      for (int32_t value : instruction.frees) {
        heap.release(tensors[value].storage);
        if (isCarry(program.values[value].buffer))
          carries.erase({program.values[value].buffer, microBatch});
      }
    }
  }

  const Plan &plan;
  Heap &heap;
  std::vector<Effects> effects; ///< by program
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
