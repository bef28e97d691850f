//===- ReportDiff.cpp - two strategies side by side -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ReportFormat.h"

#include "nxdt/Support/Format.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace nxdt;
using llvm::formatv;

static std::string truth(bool value) { return value ? "True" : "False"; }

/// The keys that decide how the work is split and what it costs.
static std::vector<std::pair<std::string, std::string>>
settingsOf(const RunConfig &run) {
  const StrategyConfig &s = run.strategy;
  const std::string prefix = "distributed_strategy.";
  const std::string &granularity = run.model.activationsCheckpointGranularity;
  return {
      {"ranks (devices * num_nodes)",
       std::to_string(run.trainer.devices * run.trainer.numNodes)},
      {prefix + "tensor_model_parallel_size",
       std::to_string(s.tensorModelParallelSize)},
      {prefix + "pipeline_model_parallel_size",
       std::to_string(s.pipelineModelParallelSize)},
      {prefix + "context_parallel_size", std::to_string(s.contextParallelSize)},
      {"data-parallel ranks", std::to_string(s.dataParallelSize)},
      {prefix + "zero1", truth(s.zero1)},
      {prefix + "sequence_parallel", truth(s.sequenceParallel)},
      {prefix + "kv_replicator", std::to_string(s.kvReplicator)},
      {"data.micro_batch_size", std::to_string(run.data.microBatchSize)},
      {"data.global_batch_size", std::to_string(run.data.globalBatchSize)},
      {"micro-batches per step", std::to_string(run.numMicroBatches())},
      {"model.encoder_seq_length", std::to_string(run.model.encoderSeqLength)},
      {"model.activations_checkpoint_granularity",
       granularity.empty() ? "null" : granularity},
      {"model.fusions.flash_attention", truth(run.model.fuseFlashAttention)},
      {"precision.type",
       run.precision == Precision::Fp32 ? "fp32" : "mixed_precision"}};
}

static std::string signedBytes(int64_t bytes) {
  if (bytes == 0)
    return "-";
  return (bytes < 0 ? "-" : "+") + humanBytes(std::abs(bytes));
}

std::string nxdt::diffText(const RunConfig &runA, const StrategyReport &a,
                           const RunConfig &runB, const StrategyReport &b) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "A  " << a.configPath << ": " << meshText(a) << '\n'
     << "B  " << b.configPath << ": " << meshText(b) << '\n';
  auto row = [&](const std::string &name, const std::string &left,
                 const std::string &right, const std::string &change) {
    os << formatv("  {0,-42}{1,16}{2,16}{3,14}\n", name, left, right, change);
  };
  auto bytes = [&](const std::string &name, int64_t left, int64_t right) {
    row(name, humanBytes(left), humanBytes(right), signedBytes(right - left));
  };

  os << "\nwhat they differ in\n";
  auto settingsA = settingsOf(runA), settingsB = settingsOf(runB);
  bool differ = false;
  for (size_t i = 0; i < settingsA.size(); ++i) {
    if (settingsA[i].second == settingsB[i].second)
      continue;
    row(settingsA[i].first, settingsA[i].second, settingsB[i].second, "");
    differ = true;
  }
  if (a.parameters != b.parameters) {
    row("parameters of the model", withCommas(a.parameters),
        withCommas(b.parameters), "");
    differ = true;
  }
  if (!differ)
    os << "  nothing\n";

  os << '\n';
  row("memory of a rank", "A", "B", "B - A");
  auto categoriesA = memoryCategories(a.memory),
       categoriesB = memoryCategories(b.memory);
  for (size_t i = 0; i < categoriesA.size(); ++i)
    bytes(categoriesA[i].first, categoriesA[i].second, categoriesB[i].second);
  bytes("total", a.totalBytes, b.totalBytes);
  auto filesA = filePeaks(a), filesB = filePeaks(b);
  for (size_t i = 0; i < std::min(filesA.size(), filesB.size()); ++i)
    bytes(filesA[i].first, filesA[i].second, filesB[i].second);

  using Key = std::pair<std::string, plan::Collective>;
  std::map<Key, std::pair<plan::Traffic, plan::Traffic>> traffic;
  for (const plan::Traffic &entry : a.stepTotals)
    traffic[{entry.group, entry.kind}].first = entry;
  for (const plan::Traffic &entry : b.stepTotals)
    traffic[{entry.group, entry.kind}].second = entry;
  os << '\n';
  row("sent by a rank in an optimizer step", "A", "B", "B - A");
  int64_t sentA = 0, sentB = 0;
  for (const auto &[key, both] : traffic) {
    std::string name = key.first + " " + std::string(plan::name(key.second));
    bytes(name, both.first.sentBytes, both.second.sentBytes);
    int64_t more = both.second.calls - both.first.calls;
    row("  calls", withCommas(both.first.calls), withCommas(both.second.calls),
        more == 0 ? "-" : (more > 0 ? "+" : "") + withCommas(more));
    sentA += both.first.sentBytes;
    sentB += both.second.sentBytes;
  }
  bytes("total", sentA, sentB);

  os << '\n';
  row("FLOPs in an optimizer step", "A", "B", "B / A");
  auto flops = [&](const std::string &name, double left, double right) {
    row(name, flopsText(left), flopsText(right),
        left > 0 ? formatv("{0:f3}", right / left).str() : "");
  };
  flops("forward", a.flops.forward, b.flops.forward);
  flops("backward", a.flops.backward, b.flops.backward);
  flops("forward once more", a.flops.recomputed, b.flops.recomputed);
  flops("optimizer", a.flops.optimizer, b.flops.optimizer);
  flops("total", a.flops.step(), b.flops.step());
  flops("of all ranks", a.flopsOfAllRanks, b.flopsOfAllRanks);

  if (!a.time || !b.time)
    return text;
  os << '\n';
  row("time of an optimizer step", "A", "B", "B / A");
  auto seconds = [&](const std::string &name, double left, double right) {
    row(name, secondsText(left), secondsText(right),
        left > 0 ? formatv("{0:f3}", right / left).str() : "");
  };
  for (size_t i = 0; i < a.time->phases.size(); ++i)
    seconds(a.time->phases[i].first, a.time->phases[i].second,
            b.time->phases[i].second);
  seconds("total", a.time->step_s, b.time->step_s);
  return text;
}
