//===- MemoryPrediction.cpp - bytes a plan will take ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Emit/MemoryPrediction.h"

#include "Strides.h"
#include "nxdt/Registry/OpRegistry.h"

#include <algorithm>

using namespace nxdt;
using namespace nxdt::plan;

static int64_t bytes(DType dtype, const std::vector<int64_t> &shape) {
  int64_t size = byteSize(dtype);
  for (int64_t dim : shape)
    size *= dim;
  return size;
}

namespace {
/// Reference counts of storages along one program.
class Simulation {
public:
  explicit Simulation(const Program &program)
      : program(program), storageOf(program.values.size(), -1) {
    for (const Value &value : program.values)
      strides.push_back(rowMajor(value.shape));
  }

  /// (bytes, index of the instruction); of several equal ones the first.
  std::pair<int64_t, size_t> peak() {
    std::pair<int64_t, size_t> highest;
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      execute(program.instructions[i]);
      if (live > highest.first)
        highest = {live, i};
      release(program.instructions[i]);
    }
    return highest;
  }

  /// What lives after an instruction, before it releases anything.
  std::vector<LiveTensor> liveAfter(size_t index) {
    for (size_t i = 0; i <= index; ++i) {
      size_t first = storages.size();
      execute(program.instructions[i]);
      for (size_t made = first; made < storages.size(); ++made)
        storages[made].maker = &program.instructions[i];
      if (i < index)
        release(program.instructions[i]);
    }
    std::vector<LiveTensor> tensors;
    for (const Storage &storage : storages) {
      if (storage.users == 0)
        continue;
      const Value &value = program.values[storage.value];
      tensors.push_back({storage.maker->module, storage.maker->op, value.dtype,
                         value.shape, storage.size});
    }
    return tensors;
  }

private:
  struct Storage {
    int64_t size = 0;
    int64_t users = 0;
    int32_t value = -1;                 ///< that it was made for
    const Instruction *maker = nullptr; ///< set by liveAfter
  };

  void execute(const Instruction &instruction) {
    for (size_t i = 0; i < instruction.outs.size(); ++i) {
      int32_t out = instruction.outs[i];
      if (out < 0)
        continue;
      // A collective writes into the buffer itself.
      if (instruction.kind == OpKind::Collective &&
          program.values[out].buffer >= 0)
        continue;
      int32_t base = aliasedOperand(instruction, out);
      if (base >= 0) {
        storageOf[out] = storageOf[base];
      } else {
        const Dims &shape = program.values[out].shape;
        if (writesHeadsInside(instruction, shape))
          strides[out] = transposed(
              rowMajor({shape[0], shape[2], shape[1], shape[3]}), 1, 2);
        storageOf[out] = storages.size();
        storages.push_back(
            {bytes(program.values[out].dtype, program.values[out].shape), 0,
             out});
        live += storages.back().size;
      }
      if (storageOf[out] >= 0)
        ++storages[storageOf[out]].users;
    }
  }

  /// The operand whose storage a result shares; -1 if it has its own.
  int32_t aliasedOperand(const Instruction &instruction, int32_t out) {
    if (instruction.kind == OpKind::Collective) {
      if (instruction.collective != Collective::AllSlice)
        return -1;
      int32_t base = std::get<ValueRef>(instruction.args[0]).index;
      strides[out] = strides[base];
      return base;
    }
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

  void release(const Instruction &instruction) {
    for (int32_t value : instruction.frees)
      release(value);
  }

  void release(int32_t value) {
    if (storageOf[value] < 0)
      return;
    Storage &storage = storages[storageOf[value]];
    if (--storage.users == 0)
      live -= storage.size;
  }

  const Program &program;
  std::vector<int32_t> storageOf; ///< -1: a buffer's or a buffer's view
  std::vector<Strides> strides;
  std::vector<Storage> storages;
  int64_t live = 0;
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
    }
  }
  for (const Program &program : plan.programs)
    report.peakActivationBytes =
        std::max(report.peakActivationBytes, Simulation(program).peak().first);
}

Peak nxdt::peakOf(const Plan &plan) {
  Peak peak;
  for (const Program &program : plan.programs) {
    auto [bytes, index] = Simulation(program).peak();
    if (bytes <= peak.bytes)
      continue;
    peak.program = program.name;
    peak.module = program.instructions[index].module;
    peak.op = program.instructions[index].op;
    peak.bytes = bytes;
    peak.tensors = Simulation(program).liveAfter(index);
  }
  std::stable_sort(peak.tensors.begin(), peak.tensors.end(),
                   [](const LiveTensor &a, const LiveTensor &b) {
                     return a.bytes > b.bytes;
                   });
  return peak;
}
