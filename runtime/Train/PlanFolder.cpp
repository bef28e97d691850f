//===- PlanFolder.cpp - what nxdt-opt --emit=plan wrote -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Train/PlanFolder.h"
#include "nxdt/Config/Load.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifyComm.h"
#include "runtime/Checkpoint/Files.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

namespace nxdt::runtime {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int64_t kMaxPlanBytes = int64_t(4) << 30;

/// What the runtime reads itself: these may differ from what was compiled. A
/// name with a dot at the end is a whole section.
constexpr const char *kRuntimeKeys[] = {
    "name",
    "seed",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.max_steps",
    "trainer.max_epochs",
    "trainer.max_time",
    "trainer.log_every_n_steps",
    "trainer.val_check_interval",
    "trainer.check_val_every_n_epoch",
    "trainer.num_sanity_val_steps",
    "trainer.limit_val_batches",
    "trainer.limit_test_batches",
    "trainer.enable_progress_bar",
    "exp_manager.",
    "data.train_dir",
    "data.val_dir",
    "data.global_batch_size",
    "model.weight_init_only",
    "model.optim.lr",
    "model.optim.sched.",
};

bool isRuntimeKey(const std::string &key) {
  return std::any_of(std::begin(kRuntimeKeys), std::end(kRuntimeKeys),
                     [&](std::string_view known) {
                       return known.back() == '.' ? key.starts_with(known)
                                                  : key == known;
                     });
}

void flatten(const Json &json, const std::string &prefix,
             std::map<std::string, Json> &out) {
  if (!json.is_object() || (json.empty() && !prefix.empty())) {
    out[prefix] = json;
    return;
  }
  for (const auto &[key, value] : json.items())
    flatten(value, prefix.empty() ? key : prefix + "." + key, out);
}

template <typename Check>
void checkMesh(const PlanFolder &folder, const Check &check) {
  const StrategyConfig &strategy = folder.config.strategy;
  std::map<std::string, int64_t> sizes = {
      {"pp", 1}, {"dp", 1}, {"cp", 1}, {"tp", 1}};
  for (const auto &[axis, size] : folder.plan().mesh) {
    if (!sizes.count(axis))
      throw UserError(folder.planPath + ": has a mesh axis '" + axis +
                      "' that this nxdt-run does not know (known: pp, dp, cp, "
                      "tp)");
    sizes[axis] = size;
  }
  check("distributed_strategy.tensor_model_parallel_size",
        strategy.tensorModelParallelSize, sizes["tp"]);
  check("distributed_strategy.pipeline_model_parallel_size",
        strategy.pipelineModelParallelSize, sizes["pp"]);
  check("distributed_strategy.context_parallel_size",
        strategy.contextParallelSize, sizes["cp"]);
  check("trainer.devices * trainer.num_nodes / (tensor * pipeline * context)",
        strategy.dataParallelSize, sizes["dp"]);
}

/// Schedules have a number of micro-batches, programs have none.
void checkSchedules(const PlanFolder &folder) {
  const DataConfig &data = folder.config.data;
  for (const plan::Schedule &schedule : folder.plan().schedules) {
    if (schedule.name == "update_step" ||
        schedule.microBatches == folder.config.numMicroBatches())
      continue;
    int64_t part =
        data.microBatchSize * folder.config.strategy.dataParallelSize;
    throw UserError(
        "data.global_batch_size = " + std::to_string(data.globalBatchSize) +
        " is " + std::to_string(folder.config.numMicroBatches()) +
        " micro-batches, but the schedule '" + schedule.name + "' of " +
        folder.planPath + " has " + std::to_string(schedule.microBatches) +
        ": with a pipeline it is compiled in; take " +
        std::to_string(schedule.microBatches * part) +
        ", give it to nxdt-opt, or run nxdt-run CONFIG");
  }
}

bool hasBuffer(const plan::PlanFamily &family, std::string_view name) {
  for (const plan::Plan &plan : family.stages)
    for (const plan::Buffer &buffer : plan.buffers)
      if (buffer.name == name)
        return true;
  return false;
}

void checkFits(const PlanFolder &folder) {
  const plan::Plan &plan = folder.plan();
  auto fail = [&](const std::string &message) {
    throw UserError(folder.planPath + ": " + message);
  };
  auto check = [&](const char *key, int64_t configured, int64_t compiled) {
    if (configured != compiled)
      fail("was compiled for " + std::string(key) + " = " +
           std::to_string(compiled) + ", the configuration has " +
           std::to_string(configured));
  };
  check("data.micro_batch_size", folder.config.data.microBatchSize,
        plan.microBatchSize);
  check("model.encoder_seq_length", folder.config.model.encoderSeqLength,
        plan.sequenceLength);
  checkMesh(folder, check);
  checkSchedules(folder);
  for (const char *input : {"input_ids", "targets"})
    if (folder.family.stages.size() > 1 && !hasBuffer(folder.family, input))
      fail("no stage has the input '" + std::string(input) + "'");
  bool wantsGpu = folder.config.trainer.accelerator == Accelerator::Gpu;
  bool wantsCpu = folder.config.trainer.accelerator == Accelerator::Cpu;
  if ((wantsGpu && plan.device == "cpu") || (wantsCpu && plan.device != "cpu"))
    fail("was compiled for the device " + plan.device +
         ", the configuration has trainer.accelerator = " +
         (wantsGpu ? "gpu" : "cpu"));
}

/// The plan's configuration names its checkpoint folder in full. Where that was
/// the default below the log folder, it moves with an overridden log folder.
void moveCheckpoints(const RunConfig &compiled, RunConfig &config) {
  if (config.expManager.checkpoint.dirpath ==
          compiled.expManager.checkpoint.dirpath &&
      compiled.expManager.checkpoint.dirpath ==
          (fs::path(compiled.expManager.logDir) / "checkpoints").string())
    config.expManager.checkpoint.dirpath =
        (fs::path(config.expManager.logDir) / "checkpoints").string();
}

} // namespace

std::vector<std::string> compiledKeysThatDiffer(const std::string &oldJson,
                                                const std::string &newJson) {
  std::map<std::string, Json> before, after;
  flatten(Json::parse(oldJson), "", before);
  flatten(Json::parse(newJson), "", after);
  std::vector<std::string> out;
  for (const auto &[key, value] : before) {
    auto it = after.find(key);
    if ((it == after.end() || it->second != value) && !isRuntimeKey(key))
      out.push_back(key);
  }
  for (const auto &[key, value] : after)
    if (!before.count(key) && !isRuntimeKey(key))
      out.push_back(key);
  return out;
}

PlanFolder openPlanFolder(const std::string &dir,
                          const std::vector<std::string> &overrides,
                          const std::optional<std::string> &planText) {
  fs::path root(dir);
  PlanFolder out;
  out.planPath = (root / "plan.json").string();
  std::string configPath = (root / "config.yaml").string();
  std::error_code error;
  for (const std::string &path : {out.planPath, configPath})
    if (!(planText && path == out.planPath) &&
        !fs::is_regular_file(path, error))
      throw UserError(dir + ": is no plan folder, it has no " +
                      fs::path(path).filename().string() +
                      " (nxdt-opt CONFIG --emit=plan -o DIR makes one)");
  LoadOptions load;
  load.path = configPath;
  load.forExecution = true;
  LoadedConfig compiled = loadRunConfig(load);
  out.config = std::move(compiled.run);
  out.notices = std::move(compiled.notices);
  if (!overrides.empty()) {
    load.overrides = overrides;
    LoadedConfig changed = loadRunConfig(load);
    std::vector<std::string> keys = compiledKeysThatDiffer(
        out.config.resolvedJson, changed.run.resolvedJson);
    if (!keys.empty())
      throw UserError(keys[0] + ": is compiled into " + out.planPath +
                      " and cannot be overridden at run time; give it to "
                      "nxdt-opt, or run nxdt-run CONFIG");
    moveCheckpoints(out.config, changed.run);
    out.config = std::move(changed.run);
    out.notices = std::move(changed.notices);
  }
  out.planText = planText ? *planText : readFile(out.planPath, kMaxPlanBytes);
  out.family = plan::familyFromJson(out.planText, out.planPath);
  plan::verifyFamily(out.family, out.planPath);
  verifyComm(out.family, out.planPath);
  checkFits(out);
  return out;
}

} // namespace nxdt::runtime
