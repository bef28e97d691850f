//===- Summary.cpp - one screen on a configuration ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Summary.h"

#include "nxdt/Analysis/Report.h"
#include "nxdt/Plan/Family.h"

#include "nxdt/Support/Format.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace nxdt;
using llvm::formatv;

/// The shortest usual form: 3e-04 is 0.0003.
static std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

static std::string modelLine(const RunConfig &run) {
  if (!run.model.plugin.empty())
    return "plug-in " + run.model.plugin;
  const LlamaConfig &m = run.model.llama;
  return formatv("Llama, {0} layers, hidden {1}, intermediate {2}, {3} heads "
                 "over {4} kv heads, vocabulary {5}{6}",
                 m.numHiddenLayers, m.hiddenSize, m.intermediateSize,
                 m.numAttentionHeads, m.numKeyValueHeads,
                 withCommas(m.vocabSize),
                 m.tieWordEmbeddings ? ", tied embeddings" : "")
      .str();
}

static std::string optimizerName(OptimizerKind kind) {
  switch (kind) {
  case OptimizerKind::AdamW:
    return "adamw";
  case OptimizerKind::AdamWFp32OptState:
    return "adamw_fp32OptState";
  case OptimizerKind::Sgd:
    return "sgd";
  }
  return "";
}

std::string nxdt::summarize(const RunConfig &run,
                            const plan::PlanFamily &family,
                            const std::vector<std::string> &notices,
                            const std::vector<std::string> &unsupported) {
  std::string text;
  llvm::raw_string_ostream os(text);
  const plan::Plan &plan =
      *std::max_element(family.stages.begin(), family.stages.end(),
                        [](const plan::Plan &a, const plan::Plan &b) {
                          return totalBytes(a.memory) < totalBytes(b.memory);
                        });
  int64_t parameters = 0, tensors = 0;
  const plan::Plan whole = plan::wholeOf(family);
  for (const plan::Buffer &buffer : whole.buffers) {
    if (buffer.role != plan::Role::Param)
      continue;
    int64_t elements = 1;
    for (int64_t dim : buffer.logicalShape)
      elements *= dim;
    parameters += elements;
    ++tensors;
  }
  const StrategyConfig &s = run.strategy;
  int64_t ranks = run.trainer.devices * run.trainer.numNodes;
  int64_t instructions = 0;
  for (const plan::Plan &stage : family.stages)
    for (const plan::Program &program : stage.programs)
      if (program.name == "train_step" ||
          program.name.starts_with("forward.") ||
          program.name.starts_with("backward."))
        instructions += program.instructions.size();

  auto row = [&](llvm::StringRef name, const std::string &value) {
    os << formatv("{0,-16}", name) << value << '\n';
  };
  row("configuration", run.configPath);
  row("model", modelLine(run));
  row("parameters",
      withCommas(parameters) + " in " + std::to_string(tensors) + " tensors, " +
          (run.precision == Precision::Fp32 ? "fp32"
                                            : "bf16 with fp32 masters"));
  row("mesh", formatv("pp {0} x dp {1} x cp {2} x tp {3} = {4} rank{5}",
                      s.pipelineModelParallelSize, s.dataParallelSize,
                      s.contextParallelSize, s.tensorModelParallelSize, ranks,
                      ranks == 1 ? "" : "s")
                  .str());
  row("step",
      formatv("{0} sequences of {1} tokens = {2} tokens, {3} micro-batch{4} "
              "of {5} per data-parallel rank",
              run.data.globalBatchSize, run.model.encoderSeqLength,
              withCommas(run.data.globalBatchSize * run.model.encoderSeqLength),
              run.numMicroBatches(), run.numMicroBatches() == 1 ? "" : "es",
              run.data.microBatchSize)
          .str());
  row("optimizer",
      optimizerName(run.model.optim.kind) +
          formatv(", lr {0}, weight decay {1}, {2} steps",
                  number(run.model.optim.lr),
                  number(run.model.optim.weightDecay), run.trainer.maxSteps)
              .str());
  row("program", std::to_string(instructions) +
                     " operators per micro-batch, on " + plan.device);

  const plan::MemoryReport &m = plan.memory;
  if (ranks == 1)
    os << "\nbytes on the rank\n";
  else if (family.stages.size() > 1)
    os << "\nbytes on a rank of stage " << &plan - family.stages.data()
       << ", which needs most\n";
  else
    os << "\nbytes on a rank\n";
  int64_t total = 0;
  auto memory = [&](llvm::StringRef name, int64_t count) {
    total += count;
    os << formatv("  {0,-24}{1,12}\n", name, humanBytes(count));
  };
  memory("parameters", m.paramBytes);
  if (m.masterBytes)
    memory("fp32 masters", m.masterBytes);
  memory("gradients", m.gradBytes);
  memory("optimizer state", m.optStateBytes);
  memory("inputs and others", m.otherBytes);
  memory("activations, at peak", m.peakActivationBytes);
  os << formatv("  {0,-24}{1,12}\n", "total", humanBytes(total));

  if (!notices.empty()) {
    os << "\nnot as in the file\n";
    for (const std::string &notice : notices)
      os << "  " << notice << '\n';
  }
  if (!unsupported.empty()) {
    os << "\nnxdt-run would refuse this file\n";
    for (const std::string &reason : unsupported)
      os << "  " << reason << '\n';
  }
  return text;
}
