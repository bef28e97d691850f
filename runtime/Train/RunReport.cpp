//===- RunReport.cpp - what was predicted, what was measured -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/RunReport.h"
#include "nxdt/Support/Format.h"
#include "runtime/Checkpoint/RankParts.h"

#include <cstdio>

namespace nxdt::runtime {
namespace {

int64_t measured(const Executor &executor, plan::Role role) {
  int64_t bytes = 0;
  for (size_t i = 0; i < executor.buffers().size(); ++i)
    if (executor.plan().buffers[i].role == role)
      bytes += int64_t(executor.buffers()[i].storage().nbytes());
  return bytes;
}

std::string row(const std::string &name, int64_t predicted, int64_t found) {
  char line[128];
  std::snprintf(line, sizeof(line), "  %-18s %12s %12s\n", name.c_str(),
                humanBytes(predicted).c_str(), humanBytes(found).c_str());
  return line;
}

} // namespace

std::string startLine(const RunConfig &config, const Executor &executor,
                      int threads, int64_t numParameters) {
  const plan::Plan &plan = executor.plan();
  int64_t samples = config.data.globalBatchSize;
  std::string ranks;
  if (executor.mesh().size() > 1)
    ranks = std::to_string(executor.mesh().size()) + " ranks (" +
            meshText(executor.mesh()) + "), each on ";
  return ranks + "device " + executor.device().str() + ", " +
         std::to_string(threads) + (threads == 1 ? " thread; " : " threads; ") +
         withCommas(numParameters) + " parameters; " +
         withCommas(samples * plan.sequenceLength) + " tokens per step (" +
         withCommas(samples) + " samples of " +
         withCommas(plan.sequenceLength) + " in " +
         withCommas(config.numMicroBatches()) +
         (config.numMicroBatches() == 1 ? " micro-batch)" : " micro-batches)");
}

std::string memoryTable(const Executor &executor, int64_t activationBytes,
                        const std::string &stage,
                        const std::optional<plan::FileMemory> &files,
                        const FileUse &use) {
  using plan::Role;
  const plan::MemoryReport &memory = executor.plan().memory;
  struct Category {
    const char *name;
    int64_t predicted;
    int64_t found;
  };
  const Category categories[] = {
      {"parameters", memory.paramBytes, measured(executor, Role::Param)},
      {"master weights", memory.masterBytes, measured(executor, Role::Master)},
      {"gradients", memory.gradBytes,
       measured(executor, Role::Grad) + measured(executor, Role::ReducedGrad)},
      {"optimizer state", memory.optStateBytes,
       measured(executor, Role::OptState)},
      {"other buffers", memory.otherBytes,
       measured(executor, Role::Buffer) + measured(executor, Role::Input) +
           measured(executor, Role::Scalar) +
           measured(executor, Role::Coordinate)},
      {"peak activations", memory.peakActivationBytes, activationBytes},
  };
  std::string what = "memory";
  if (executor.mesh().size() > 1)
    what += " per rank";
  if (!stage.empty())
    what = "memory, " + stage;
  char head[128];
  std::snprintf(head, sizeof(head), "%-22s %9s %12s\n", what.c_str(),
                "predicted", "measured");
  std::string out = head;
  int64_t predicted = 0;
  int64_t found = 0;
  for (const Category &category : categories) {
    predicted += category.predicted;
    found += category.found;
    out += row(category.name, category.predicted, category.found);
  }
  out += row("total", predicted, found);
  if (!files)
    return out;
  int64_t predictedState = predicted - memory.peakActivationBytes;
  int64_t foundState = found - activationBytes;
  auto peak = [&](const char *name, int64_t more, int64_t moreFound) {
    out += row(name, predictedState + more, foundState + moreFound);
  };
  switch (use.load) {
  case FileUse::Load::Drawn:
    peak("while drawing", files->drawBytes, use.loadBytes);
    break;
  case FileUse::Load::Mapped:
    peak("while loading", files->resumeBytes, use.loadBytes);
    break;
  case FileUse::Load::Resharded:
    peak("loading, at most", files->reshardBytes, use.loadBytes);
    break;
  }
  if (use.saveBytes >= 0)
    peak("while saving", files->saveBytes + files->tellBytes, use.saveBytes);
  return out;
}

} // namespace nxdt::runtime
