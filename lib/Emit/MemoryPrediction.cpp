//===- MemoryPrediction.cpp - bytes a plan will take ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Emit/MemoryPrediction.h"

#include "Strides.h"
#include "nxdt/Plan/Communication.h"
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
      storages[storage] = {size, 1, made++, maker};
      return storage;
    }
    storages.push_back({size, 1, made++, maker});
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
      std::map<int64_t, const Storage *> inOrder;
      for (const Storage &storage : storages)
        if (storage.users > 0)
          inOrder[storage.number] = &storage;
      for (auto [number, storage] : inOrder)
        found.tensors.push_back(tell(*storage));
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
    int64_t number = 0; ///< in the order in which they are made
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
  int64_t made = 0;
};

/// What memory sees of an instruction. A schedule runs a program hundreds of
/// times: everything is found out the first time.
struct Effect {
  struct Result {
    int32_t value = -1;
    int64_t size = 0;
    int32_t base = -1;  ///< whose storage it shares
    int32_t shown = -1; ///< value to tell of it, where it is none itself
  };
  std::vector<Result> results;
  /// Storages without a value that go when the instruction has ended.
  std::vector<int32_t> drops;
};

/// The effects of a program's instructions, from how its values lie.
class Effects {
public:
  /// `strides`: of what is carried into the program, by value; else row-major.
  Effects(const Plan &plan, const Program &program,
          const std::map<int32_t, Strides> &carried)
      : program(program) {
    for (size_t i = 0; i < program.values.size(); ++i) {
      auto known = carried.find(i);
      strides.push_back(known != carried.end()
                            ? known->second
                            : Strides(rowMajor(program.values[i].shape)));
    }
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
        effect.results.push_back({out, bytes(value.dtype, value.shape),
                                  sharedOperand(instruction, out)});
      }
      if (instruction.kind == OpKind::Start && instruction.outs.size() > 1)
        effect = startPacked(instruction);
      if (instruction.kind == OpKind::Wait)
        effect = waitPacked(instruction);
      list.push_back(std::move(effect));
    }
  }

  /// Values, and what is packed for the way.
  size_t storageCount() const { return program.values.size() + extraCount; }

  const Effect &operator[](size_t index) const { return list[index]; }
  const Strides &stridesOf(int32_t value) const { return strides[value]; }

private:
  /// What PendingCollectives of the executor holds between start and wait.
  struct Packed {
    std::vector<int32_t> extras;
    Effect atWait;
  };

  Effect startPacked(const Instruction &instruction) {
    Packed &packed = underWay[instruction.outs[0]];
    Effect effect;
    auto add = [&](int64_t size) {
      int32_t extra = static_cast<int32_t>(program.values.size() + extraCount);
      ++extraCount;
      effect.results.push_back({extra, size, -1, instruction.outs[0]});
      packed.extras.push_back(extra);
      return extra;
    };
    int64_t sent = 0, received = 0;
    for (const Transfer &transfer : transfersOf(instruction)) {
      const Value &in = program.values[transfer.input];
      const Value &out = program.values[transfer.result];
      sent += bytes(in.dtype, in.shape);
      received += bytes(out.dtype, out.shape);
    }
    int32_t base = add(sent);
    if (instruction.collective != Collective::AllReduce)
      base = add(received);
    for (int32_t out : instruction.outs) {
      const Value &value = program.values[out];
      int64_t size = bytes(value.dtype, value.shape);
      if (instruction.collective == Collective::AllGather)
        packed.atWait.results.push_back({out, size, -1, -1});
      else
        effect.results.push_back({out, size, base, -1});
    }
    packed.atWait.drops = packed.extras;
    return effect;
  }

  Effect waitPacked(const Instruction &instruction) {
    const auto &results = std::get<std::vector<ValueRef>>(instruction.args[0]);
    auto found = underWay.find(results[0].index);
    return found == underWay.end() ? Effect() : found->second.atWait;
  }

  /// The operand whose storage a result shares; -1 if it has its own.
  int32_t sharedOperand(const Instruction &instruction, int32_t out) {
    if (instruction.kind == OpKind::Collective) {
      if (instruction.collective != Collective::AllSlice)
        return -1;
      int32_t base = std::get<ValueRef>(instruction.args[0]).index;
      strides[out] = strides[base];
      return base;
    }
    const Dims &shape = program.values[out].shape;
    if (writesHeadsInside(instruction, shape))
      strides[out] =
          transposed(rowMajor({shape[0], shape[2], shape[1], shape[3]}), 1, 2);
    if (instruction.kind != OpKind::Aten || instruction.args.empty())
      return -1;
    const OpInfo *info = OpRegistry::get().lookup(instruction.op);
    auto *operand = std::get_if<ValueRef>(&instruction.args[0]);
    if (!info || !operand || operand->index < 0)
      return -1;
    int32_t base = operand->index;
    const Value &from = program.values[base], &to = program.values[out];
    bool returnsSelf = info->returnsSelfIfSameType && from.dtype == to.dtype &&
                       from.shape == to.shape;
    if (info->aliasing == Aliasing::Fresh && !returnsSelf)
      return -1;
    Strides shared = returnsSelf ? strides[base]
                                 : viewStrides(instruction, *info, base, out);
    if (info->aliasing == Aliasing::MaybeView && !shared)
      return -1;
    strides[out] = shared;
    return base;
  }

  /// How a result lies in operand 0's storage; none if that is not known.
  Strides viewStrides(const Instruction &instruction, const OpInfo &info,
                      int32_t base, int32_t out) {
    const Dims &from = program.values[base].shape,
               &to = program.values[out].shape;
    auto number = [&](size_t position) {
      auto *value = position < instruction.args.size()
                        ? std::get_if<int64_t>(&instruction.args[position])
                        : nullptr;
      return value ? *value : 0;
    };
    if (instruction.op == "aten::contiguous")
      return isRowMajor(from, strides[base]) ? strides[base] : std::nullopt;
    if (info.keepsOrder)
      return reshaped(from, strides[base], to);
    if (instruction.op == "aten::transpose.int")
      return transposed(strides[base], number(1), number(2));
    if (instruction.op == "aten::expand")
      return expanded(from, strides[base], to);
    if (instruction.op == "aten::slice.Tensor")
      return sliced(strides[base], number(1), std::max<int64_t>(number(4), 1));
    return std::nullopt;
  }

  /// libtorch's attention kernels for the CPU write [B, S, H, D] and return it
  /// transposed to [B, H, S, D], so that merging the heads copies nothing.
  static bool writesHeadsInside(const Instruction &instruction,
                                const Dims &shape) {
    return llvm::StringRef(instruction.op)
               .starts_with(
                   "aten::_scaled_dot_product_flash_attention_for_cpu") &&
           shape.size() == 4;
  }

  const Program &program;
  std::vector<Strides> strides; ///< by value
  std::vector<Effect> list;
  std::map<int32_t, Packed> underWay; ///< by first result
  size_t extraCount = 0;
};

/// Runs a plan's programs and schedules without tensors.
class Simulation {
public:
  Simulation(const Plan &plan, Heap &heap)
      : plan(plan), heap(heap), effects(plan.programs.size()) {}

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
  using Key = std::pair<int32_t, int64_t>; ///< index, micro-batch

  bool isCarry(int32_t buffer) const {
    return buffer >= 0 && plan.buffers[buffer].role == Role::Carry;
  }

  void runSchedule(const Schedule &schedule) {
    std::map<Key, int32_t> underway; // by channel
    for (const Action &action : schedule.actions) {
      Key key(action.index, action.microBatch);
      switch (action.kind) {
      case ActionKind::Run:
        runProgram(action.index, action.microBatch);
        break;
      case ActionKind::Recv: {
        const Channel &channel = plan.channels[action.index];
        const Buffer &buffer = plan.buffers[channel.buffer];
        underway[key] = heap.allocate(bytes(buffer.dtype, buffer.shape),
                                      {&plan, nullptr, action.index, -1});
        heap.look(schedule.name, channel.name, "recv");
        break;
      }
      case ActionKind::Send: {
        int32_t sent =
            carries[{plan.channels[action.index].buffer, action.microBatch}];
        heap.use(sent);
        underway[key] = sent;
        break;
      }
      case ActionKind::Wait: {
        const Channel &channel = plan.channels[action.index];
        if (channel.isSend)
          heap.release(underway[key]);
        else
          carries[{channel.buffer, action.microBatch}] = underway[key];
        underway.erase(key);
        break;
      }
      case ActionKind::Free:
        heap.release(carries[key]);
        carries.erase(key);
        break;
      }
    }
  }

  void runProgram(size_t index, int64_t microBatch) {
    const Program &program = plan.programs[index];
    std::map<int32_t, Strides> carried;
    std::vector<int32_t> storages(program.values.size(), -1);
    for (size_t i = 0; i < program.values.size(); ++i) {
      int32_t buffer = program.values[i].buffer;
      if (!isCarry(buffer))
        continue;
      auto found = carries.find({buffer, microBatch});
      if (found == carries.end())
        continue;
      storages[i] = found->second;
      auto lies = carriedStrides.find(buffer);
      if (lies != carriedStrides.end())
        carried[i] = lies->second;
    }
    if (!effects[index])
      effects[index].emplace(plan, program, carried);
    storages.resize(effects[index]->storageCount(), -1);
    for (size_t at = 0; at < program.instructions.size(); ++at) {
      const Instruction &instruction = program.instructions[at];
      for (const Effect::Result &result : (*effects[index])[at].results) {
        int32_t &made = storages[result.value];
        if (result.base >= 0) {
          made = storages[result.base];
          heap.use(made);
        } else {
          made = heap.allocate(
              result.size, {&plan, &program, static_cast<int32_t>(at),
                            result.shown < 0 ? result.value : result.shown});
        }
        if (result.shown >= 0)
          continue;
        int32_t buffer = program.values[result.value].buffer;
        if (!isCarry(buffer))
          continue;
        carries[{buffer, microBatch}] = made;
        carriedStrides[buffer] = effects[index]->stridesOf(result.value);
      }
      heap.look(program.name, instruction.module, instruction.op);
      for (int32_t extra : (*effects[index])[at].drops)
        heap.release(storages[extra]);
      for (int32_t value : instruction.frees) {
        heap.release(storages[value]);
        if (isCarry(program.values[value].buffer))
          carries.erase({program.values[value].buffer, microBatch});
      }
    }
  }

  const Plan &plan;
  Heap &heap;
  std::vector<std::optional<Effects>> effects; ///< by program
  /// What lives from one program to another: storage, -1 for a buffer's view.
  std::map<Key, int32_t> carries;
  std::map<int32_t, Strides> carriedStrides; ///< by buffer; row-major if not
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
