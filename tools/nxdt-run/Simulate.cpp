//===- Simulate.cpp - nxdt-run --simulate -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Simulate.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Simulate/Simulate.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace nxdt::run {
namespace {

namespace fs = std::filesystem;

/// A folder for the plans, gone at the end.
class WorkFolder {
public:
  WorkFolder() {
    std::string pattern =
        (fs::temp_directory_path() / "nxdt-simulate-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw UserError("cannot make a folder " + pattern);
    root = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(root, ignored);
  }
  WorkFolder(const WorkFolder &) = delete;
  WorkFolder &operator=(const WorkFolder &) = delete;

  std::string at(const std::string &name) const {
    return (root / name).string();
  }

private:
  fs::path root;
};

/// The compilations that a simulation takes, of one configuration.
class Plans {
public:
  explicit Plans(const Options &options) : options(options) {
    path = options.config.empty()
               ? (fs::path(options.planFolder) / "config.yaml").string()
               : options.config;
    LoadOptions load;
    load.path = path;
    load.overrides = options.overrides;
    load.forExecution = true;
    config = loadRunConfig(load).run;
  }

  const RunConfig &runConfig() const { return config; }

  /// As it is written, or as it lies in the folder.
  runtime::PlanFolder strategy() const {
    if (options.config.empty())
      return runtime::openPlanFolder(options.planFolder, options.overrides);
    return compile("strategy", {});
  }
  /// The strategy, but nothing is computed again.
  runtime::PlanFolder sharded() const {
    return compile("sharded", withoutRecomputation());
  }
  /// One rank; the micro-batches are those of all ranks together.
  runtime::PlanFolder whole() const { return compile("whole", ofOneRank()); }
  /// The same without the fusion of attention.
  runtime::PlanFolder unfused() const {
    std::vector<std::string> changes = ofOneRank();
    changes.push_back("++model.fusions.flash_attention=False");
    return compile("unfused", changes);
  }

private:
  std::vector<std::string> withoutRecomputation() const {
    return {"++model.activations_checkpoint_granularity=null",
            "++model.activations_checkpoint_recompute=null"};
  }

  std::vector<std::string> ofOneRank() const {
    std::vector<std::string> changes = withoutRecomputation();
    int64_t rows =
        config.data.microBatchSize * config.strategy.dataParallelSize;
    for (const char *change :
         {"++trainer.devices=1", "++trainer.num_nodes=1",
          "++distributed_strategy.tensor_model_parallel_size=1",
          "++distributed_strategy.pipeline_model_parallel_size=1",
          "++distributed_strategy.virtual_pipeline_model_parallel_size=1",
          "++distributed_strategy.context_parallel_size=1",
          "++distributed_strategy.sequence_parallel=False",
          "++distributed_strategy.kv_replicator=1"})
      changes.push_back(change);
    changes.push_back("++data.micro_batch_size=" + std::to_string(rows));
    return changes;
  }

  runtime::PlanFolder compile(const std::string &name,
                              const std::vector<std::string> &changes) const {
    std::string folder = work.at(name);
    std::vector<std::string> arguments = {path};
    arguments.insert(arguments.end(), options.overrides.begin(),
                     options.overrides.end());
    arguments.insert(arguments.end(), changes.begin(), changes.end());
    // All ranks are in this process.
    arguments.insert(arguments.end(), {"++trainer.accelerator=cpu", "--origins",
                                       "--emit=plan", "-o", folder});
    runCompiler(arguments);
    return runtime::openPlanFolder(folder, {});
  }

  const Options &options;
  std::string path;
  RunConfig config;
  WorkFolder work;
};

[[noreturn]] void fail(const std::string &difference) {
  throw UserError("simulate: " + difference);
}

void compareOnce(const runtime::PlanFolder &strategy,
                 const runtime::PlanFolder &whole, const Options &options,
                 const std::string &phase) {
  runtime::SimulateOptions simulation;
  simulation.steps = options.steps;
  simulation.compareValues = options.simulateOps;
  if (!phase.empty())
    std::printf("phase %s\n", phase.c_str());
  if (auto difference = runtime::simulate(strategy, whole, simulation, stdout))
    fail(phase.empty() ? *difference : "phase " + phase + ": " + *difference);
}

/// The phases before `fused` are part of every plan; what they do has nothing
/// to be compared with.
void compareAfterEachPass(const Plans &plans, const Options &options) {
  runtime::PlanFolder whole = plans.whole();
  if (plans.runConfig().model.fuseFlashAttention) {
    // Operations are others: only what a step gives can be compared.
    Options onlyResults = options;
    onlyResults.simulateOps = false;
    compareOnce(whole, plans.unfused(), onlyResults, "fused");
  }
  compareOnce(plans.sharded(), whole, options, "sharded");
  if (!plans.runConfig().model.recomputePatterns.empty())
    compareOnce(plans.strategy(), whole, options, "recomputed");
}

} // namespace

int simulateStrategy(const Options &options) {
  Plans plans(options);
  if (options.simulateAfterEachPass)
    compareAfterEachPass(plans, options);
  else
    compareOnce(plans.strategy(), plans.whole(), options, "");
  std::puts("simulate: equal");
  return 0;
}

} // namespace nxdt::run
