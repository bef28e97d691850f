//===- FileMemory.cpp - bytes that loading and saving take ----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/FileMemory.h"

#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/Slice.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

namespace nxdt::plan {
namespace {

/// Elements of a piece, about.
constexpr int64_t kDrawnElements = int64_t(16) << 20;

int64_t product(const std::vector<int64_t> &sizes) {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  return count;
}

int64_t validElements(const std::vector<DimSlice> &slices) {
  int64_t count = 1;
  for (const DimSlice &slice : slices)
    count *= slice.valid;
  return count;
}

/// Whether what is not padding lies in one piece of the row-major part.
bool isInOnePiece(const std::vector<DimSlice> &slices) {
  int64_t stride = 1, expected = 1;
  for (auto slice = slices.rbegin(); slice != slices.rend(); ++slice) {
    if (slice->valid != 1 && stride != expected)
      return false;
    stride *= slice->size;
    expected *= slice->valid;
  }
  return true;
}

bool isStored(const Buffer &buffer) {
  return buffer.role == Role::Param || buffer.role == Role::Master ||
         buffer.role == Role::OptState;
}

/// Drawn in fp32 and rounded, unless it is fp32 itself.
int64_t drawBytes(const Buffer &buffer, const Init &init) {
  int64_t elements = product(buffer.shape);
  if (init.kind == Init::Kind::None || elements == 0 ||
      buffer.dtype == DType::F32)
    return 0;
  int64_t size = buffer.shape.empty() ? 1 : buffer.shape.back();
  return rowsDrawnAtOnce(elements / size, size) * size * byteSize(DType::F32);
}

/// Of a manifest's entry for a tensor, as runtime/Checkpoint/Manifest.cpp
/// writes it: a line for each key, bracket and number, one space more for each
/// level.
int64_t entryBytes(const Buffer &buffer, const std::vector<DimSlice> &slices) {
  constexpr int64_t kFileBytes = 42; // "model/dp_rank_00_..._pp_rank_00.pt"
  int64_t depth = buffer.role == Role::Param ? 2 : 3;
  int64_t dims = int64_t(slices.size());
  int64_t text = int64_t(buffer.param.size()) + 5 + kFileBytes + 11 +
                 int64_t(name(buffer.dtype).size()) + 12 +
                 int64_t(std::string_view("\"logical_shape\": [],").size() +
                         std::string_view("\"slice_start\": [],").size() +
                         std::string_view("\"shape\": []{}],").size());
  for (size_t dim = 0; dim < slices.size(); ++dim)
    for (int64_t number :
         {dim < buffer.logicalShape.size() ? buffer.logicalShape[dim]
                                           : buffer.shape[dim],
          slices[dim].start, slices[dim].valid})
      text += int64_t(std::to_string(number).size()) + 1;
  // The name and its bracket at `depth`, braces one deeper, five keys of which
  // three have a bracket of their own below them, numbers deepest.
  return text + 2 * (depth + 1) + 2 * (depth + 2) + 8 * (depth + 3) +
         3 * dims * (depth + 4);
}

/// Whether a rank is the first or the second along dp and cp. The first one
/// writes all that it holds, and the others about what the second does.
bool isAmongFirstTwo(const Mesh &mesh, int64_t rank) {
  std::vector<int64_t> at = mesh.coordinates(rank);
  int64_t index = 0;
  for (size_t i = 0; i < at.size(); ++i)
    if (mesh.axes[i].name == "dp" || mesh.axes[i].name == "cp")
      index = index * mesh.axes[i].size + at[i];
  return index < 2;
}

/// All ranks send texts as long as the longest, and get those of all.
int64_t tellBytes(const PlanFamily &family, const Mesh &mesh,
                  const std::map<std::string, int64_t> &owners) {
  constexpr int64_t kHeadBytes = 450; // format, files, checksum
  int64_t longest = 0;
  // The first rank collects, and tells nothing.
  for (int64_t rank = 1; rank < mesh.size(); ++rank) {
    if (!isAmongFirstTwo(mesh, rank))
      continue;
    int64_t stage = stageOf(mesh, rank), text = kHeadBytes;
    for (const Buffer &buffer : family.stages.at(size_t(stage)).buffers)
      if (isStored(buffer) && owners.at(buffer.param) == stage &&
          writesPart(buffer, mesh, rank))
        text += entryBytes(buffer, sliceOf(buffer, mesh, rank));
    longest = std::max(longest, text);
  }
  return longest * (mesh.size() + 1);
}

/// All but what is told, which is the same on all stages.
FileMemory memoryOfStage(const PlanFamily &family, int64_t stage,
                         const Mesh &mesh,
                         const std::map<std::string, int64_t> &owners) {
  const Plan &plan = family.stages.at(size_t(stage));
  FileMemory memory;
  std::map<std::string, Init> inits;
  for (const Buffer &buffer : plan.buffers)
    if (buffer.role == Role::Param)
      inits[buffer.param] = buffer.init;
  for (int64_t rank = 0; rank < mesh.size(); ++rank) {
    if (stageOf(mesh, rank) != stage)
      continue;
    int64_t saved = 0;
    for (const Buffer &buffer : plan.buffers) {
      bool isWeight = buffer.role == Role::Param || buffer.role == Role::Master;
      if (!isStored(buffer))
        continue;
      std::vector<DimSlice> slices = sliceOf(buffer, mesh, rank);
      int64_t elements = validElements(slices);
      if (isWeight)
        memory.drawBytes =
            std::max(memory.drawBytes, drawBytes(buffer, inits[buffer.param]));
      // Weights may come from fp32 masters.
      int64_t stored = byteSize(isWeight ? DType::F32 : buffer.dtype);
      memory.reshardBytes = std::max(memory.reshardBytes, elements * stored);
      if (elements > 0 && !isInOnePiece(slices) &&
          owners.at(buffer.param) == stage && writesPart(buffer, mesh, rank))
        saved += elements * byteSize(buffer.dtype);
    }
    memory.saveBytes = std::max(memory.saveBytes, saved);
  }
  return memory;
}

} // namespace

int64_t rowsDrawnAtOnce(int64_t rows, int64_t size) {
  return std::clamp<int64_t>(kDrawnElements / size, 1, rows);
}

std::optional<FileMemory> fileMemoryOf(const PlanFamily &family,
                                       int64_t stage) {
  if (family.stages.at(size_t(stage)).device != "cpu")
    return std::nullopt;
  Mesh mesh = meshOf(family.stages[0]);
  std::map<std::string, int64_t> owners = ownersOf(family);
  FileMemory memory = memoryOfStage(family, stage, mesh, owners);
  memory.tellBytes = tellBytes(family, mesh, owners);
  return memory;
}

std::vector<FileMemory> fileMemoriesOf(const PlanFamily &family) {
  std::vector<FileMemory> list;
  if (family.stages[0].device != "cpu")
    return list;
  Mesh mesh = meshOf(family.stages[0]);
  std::map<std::string, int64_t> owners = ownersOf(family);
  int64_t told = tellBytes(family, mesh, owners);
  for (size_t stage = 0; stage < family.stages.size(); ++stage) {
    list.push_back(memoryOfStage(family, int64_t(stage), mesh, owners));
    list.back().tellBytes = told;
  }
  return list;
}

} // namespace nxdt::plan
