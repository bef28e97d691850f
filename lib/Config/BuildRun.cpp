//===- BuildRun.cpp - trainer, strategy and data, typed -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"

#include "nxdt/Support/Format.h"

#include <cmath>
#include <limits>
#include <numeric>

namespace nxdt::config {
namespace {

/// "DD:HH:MM:SS" in seconds, or -1.
double parseDuration(const std::string &text) {
  double total = 0;
  int parts = 0;
  int64_t part = 0;
  bool digits = false;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      part = part * 10 + (text[i] - '0');
      digits = true;
      if (part > 1000000)
        return -1;
      continue;
    }
    if (!digits || (i < text.size() && text[i] != ':'))
      return -1;
    total = total * (parts == 1 ? 24 : 60) + static_cast<double>(part);
    ++parts;
    part = 0;
    digits = false;
  }
  return parts == 4 ? total : -1;
}

bool isFloat(const Node *node) {
  return node && node->isScalar() &&
         std::holds_alternative<double>(node->scalar);
}

void buildEvaluation(Context &context) {
  TrainerConfig &trainer = context.out.run.trainer;
  trainer.numSanityValSteps = context.intOr("trainer.num_sanity_val_steps", 2);

  const char *limitKey = "trainer.limit_val_batches";
  const Node *limit = context.get(limitKey);
  double amount = context.numberOr(limitKey, 1.0);
  if (isFloat(limit) && amount > 1.0)
    context.error(limitKey, "a fraction must be in [0, 1]; a number of batches "
                            "is an integer, e.g. " +
                                std::to_string(std::llround(amount)));
  else if (limit && !isFloat(limit))
    trainer.limitValBatches = context.intOr(limitKey, -1);
  else if (amount == 0.0)
    trainer.limitValBatches = 0;
  else if (amount < 1.0)
    trainer.limitValFraction = amount;

  const char *everyKey = "trainer.check_val_every_n_epoch";
  const Node *epochs = context.doc.find(everyKey);
  bool acrossEpochs = epochs && epochs->isNull();
  trainer.valCheckRestartsPerEpoch = !acrossEpochs;

  const char *intervalKey = "trainer.val_check_interval";
  const Node *interval = context.get(intervalKey);
  if (interval && !isFloat(interval)) {
    trainer.valCheckInterval = context.intOr(intervalKey, 0);
    return;
  }
  if (!interval) {
    // Lightning's default is once per epoch; across epochs there is none.
    trainer.valCheckEpochFraction = acrossEpochs ? 0.0 : 1.0;
    return;
  }
  double fraction = context.numberOr(intervalKey, 0);
  if (fraction > 1.0)
    context.error(intervalKey, "a fraction of an epoch must be in (0, 1]; a "
                               "number of steps is an integer, e.g. " +
                                   std::to_string(std::llround(fraction)));
  else if (acrossEpochs)
    context.error(intervalKey,
                  "a fraction of an epoch needs check_val_every_n_epoch: 1, "
                  "which is null here; write a number of steps (an integer)");
  trainer.valCheckEpochFraction = fraction;
}

} // namespace

void buildTrainer(Context &context) {
  TrainerConfig &trainer = context.out.run.trainer;
  const char *devices = "trainer.devices";
  std::string word = context.stringOr(devices, "auto");
  if (word != "auto")
    context.error(devices, "must be a number of ranks, or auto (= 1)");
  trainer.devices = context.intOr(devices, 1);
  trainer.numNodes = context.intOr("trainer.num_nodes", 1);
  trainer.maxSteps = context.intOr("trainer.max_steps", -1);
  const Node *steps = context.get("trainer.max_steps");
  bool wrongType = steps && !(steps->isScalar() &&
                              std::holds_alternative<int64_t>(steps->scalar));
  if (trainer.maxSteps < 1 && !wrongType)
    context.error("trainer.max_steps",
                  "is needed, at least 1: the optimizer steps of the whole "
                  "run (they are the length of the schedule, too)");
  trainer.logEveryNSteps = context.intOr("trainer.log_every_n_steps", 50);
  if (context.has("trainer.gradient_clip_val"))
    trainer.gradientClipVal = context.numberOr("trainer.gradient_clip_val", 1);
  trainer.enableProgressBar =
      context.boolOr("trainer.enable_progress_bar", true);
  std::string accelerator = context.stringOr("trainer.accelerator", "auto");
  if (accelerator == "cpu")
    trainer.accelerator = Accelerator::Cpu;
  else if (accelerator == "gpu" || accelerator == "cuda")
    trainer.accelerator = Accelerator::Gpu;
  if (context.has("trainer.max_time")) {
    trainer.maxTimeS = parseDuration(context.stringOr("trainer.max_time", ""));
    if (trainer.maxTimeS <= 0)
      context.error("trainer.max_time",
                    "must be 'DD:HH:MM:SS' in quotes, e.g. '00:12:00:00'");
  }
  buildEvaluation(context);
}

/// Where the sizes of mesh axes and the switches come from, for reasons.
static void recordOrigins(Context &context) {
  static constexpr std::pair<const char *, const char *> keys[] = {
      {"tp", "distributed_strategy.tensor_model_parallel_size"},
      {"pp", "distributed_strategy.pipeline_model_parallel_size"},
      {"cp", "distributed_strategy.context_parallel_size"},
      {"dp", "trainer.devices"},
      {"zero1", "distributed_strategy.zero1"},
      {"sequence_parallel", "distributed_strategy.sequence_parallel"}};
  for (auto [name, key] : keys) {
    const Node *node = context.get(key);
    context.out.run.strategy.origins.emplace_back(
        name, node ? std::string(key) + " = " + show(*node) + " (" +
                         node->location.str() + ")"
                   : std::string(key) + " (default)");
  }
}

/// `pattern: [tp, null, [tp, dp]]`.
static void buildShardingRules(Context &context) {
  const char *key = "distributed_strategy.sharding_rules";
  const Node *rules = context.get(key);
  if (!rules || !rules->isMap())
    return;
  for (const Entry &entry : rules->entries) {
    ParamShardingRule rule;
    rule.origin = entry.keyLocation.str();
    auto fail = [&](const Node &node, const std::string &message) {
      context.errors.push_back(node.location.str() + ": " + key + ": " +
                               show(node) + ": " + message);
    };
    const std::string *pattern = std::get_if<std::string>(&entry.key);
    if (!pattern) {
      fail(*entry.value, "stands under " + show(entry.key) +
                             ", which is no pattern of parameter names");
      continue;
    }
    rule.pattern = *pattern;
    if (!entry.value->isList()) {
      fail(*entry.value, "must be a list with one entry per dimension: an "
                         "axis (tp), a list of axes or null");
      continue;
    }
    for (const NodePtr &dim : entry.value->items) {
      std::vector<std::string> &axes = rule.dims.emplace_back();
      std::vector<NodePtr> items =
          dim->isList() ? dim->items : std::vector<NodePtr>{dim};
      for (const NodePtr &item : items) {
        if (item->isNull() && !dim->isList())
          continue;
        if (const std::string *axis = item->string())
          axes.push_back(*axis);
        else
          fail(*item, "must be the name of a mesh axis: tp, dp, cp");
      }
    }
    context.out.run.strategy.shardingRules.push_back(std::move(rule));
  }
}

static void buildBudget(Context &context) {
  const char *key = "distributed_strategy.budget_bytes";
  const Node *node = context.get(key);
  if (!node || !node->isScalar())
    return;
  StrategyConfig &strategy = context.out.run.strategy;
  strategy.budgetAt = context.where(key);
  if (const std::string *text = node->string()) {
    std::optional<int64_t> bytes = parseBytes(*text);
    if (!bytes || *bytes < 1)
      context.error(key, "must be a number of bytes, at least 1, or one with a "
                         "unit: 512MiB, 16GiB, 80GB");
    strategy.budgetBytes = bytes.value_or(0);
    return;
  }
  strategy.budgetBytes = context.intOr(key, 0);
}

void buildStrategy(Context &context) {
  recordOrigins(context);
  buildShardingRules(context);
  StrategyConfig &strategy = context.out.run.strategy;
  const TrainerConfig &trainer = context.out.run.trainer;
  auto size = [&](const char *name) {
    return std::max<int64_t>(
        1, context.intOr(std::string("distributed_strategy.") + name, 1));
  };
  strategy.tensorModelParallelSize = size("tensor_model_parallel_size");
  strategy.pipelineModelParallelSize = size("pipeline_model_parallel_size");
  strategy.virtualPipelineModelParallelSize =
      size("virtual_pipeline_model_parallel_size");
  strategy.contextParallelSize = size("context_parallel_size");
  strategy.kvReplicator = size("kv_replicator");
  strategy.zero1 = context.boolOr("distributed_strategy.zero1", true);
  strategy.sequenceParallel =
      context.boolOr("distributed_strategy.sequence_parallel", false);

  buildBudget(context);
  // What does not fit into 64 bits is no limit either.
  int64_t mib = context.intOr("bucket_size_collectives", 128);
  if (__builtin_mul_overflow(mib, int64_t(1) << 20, &strategy.bucketBytes))
    strategy.bucketBytes = std::numeric_limits<int64_t>::max();

  // All sizes are at least 1 and may be absurd: no overflow.
  int64_t world = 0, model = 0;
  if (__builtin_mul_overflow(std::max<int64_t>(1, trainer.devices),
                             std::max<int64_t>(1, trainer.numNodes), &world) ||
      __builtin_mul_overflow(strategy.tensorModelParallelSize,
                             strategy.pipelineModelParallelSize, &model) ||
      __builtin_mul_overflow(model, strategy.contextParallelSize, &model)) {
    context.error("distributed_strategy", "the number of ranks does not fit "
                                          "into 64 bits");
    return;
  }
  if (world % model != 0) {
    context.error(
        "distributed_strategy",
        "the ranks cannot be divided: devices * num_nodes = " +
            std::to_string(trainer.devices) + " * " +
            std::to_string(trainer.numNodes) + " = " + std::to_string(world) +
            ", which is no multiple of tensor * pipeline * context = " +
            std::to_string(strategy.tensorModelParallelSize) + " * " +
            std::to_string(strategy.pipelineModelParallelSize) + " * " +
            std::to_string(strategy.contextParallelSize) + " = " +
            std::to_string(model) + "; legal: devices * num_nodes = " +
            std::to_string(model) + ", " + std::to_string(2 * model) + ", ...");
    return;
  }
  strategy.dataParallelSize = world / model;
}

void buildData(Context &context) {
  DataConfig &data = context.out.run.data;
  int64_t dp = context.out.run.strategy.dataParallelSize;
  bool complete = context.require(
      "data.micro_batch_size", "samples per rank and forward pass, at least 1");
  complete &= context.require("data.global_batch_size",
                              "samples per optimizer step, over all ranks");
  data.microBatchSize = context.intOr("data.micro_batch_size", 0);
  data.globalBatchSize = context.intOr("data.global_batch_size", 0);
  data.trainDir = context.pathOf("data.train_dir");
  data.valDir = context.pathOf("data.val_dir");
  int64_t unit = 0;
  if (complete && data.microBatchSize > 0 && data.globalBatchSize > 0) {
    bool huge = __builtin_mul_overflow(data.microBatchSize, dp, &unit);
    int64_t rest = huge ? 1 : data.globalBatchSize % unit;
    if (rest != 0) {
      std::string product = "micro_batch_size * data-parallel ranks = " +
                            std::to_string(data.microBatchSize) + " * " +
                            std::to_string(dp);
      std::string legal;
      if (!huge) {
        int64_t below = data.globalBatchSize - rest;
        product += " = " + std::to_string(unit);
        legal = "; nearest legal values: " +
                (below ? std::to_string(below) + " and " : "") +
                std::to_string(below + unit);
      }
      context.error("data.global_batch_size",
                    "is no multiple of " + product + legal);
    }
  }
  if (context.has("data.seq_length") &&
      context.has("model.encoder_seq_length") &&
      context.intOr("data.seq_length", 0) !=
          context.intOr("model.encoder_seq_length", 0) &&
      !context.has("model_alignment_strategy"))
    context.error(
        "data.seq_length",
        "differs from model.encoder_seq_length = " +
            std::to_string(context.intOr("model.encoder_seq_length", 0)));
  const TrainerConfig &trainer = context.out.run.trainer;
  bool wantsEvaluation = trainer.valCheckInterval > 0 &&
                         trainer.limitValBatches != 0 &&
                         context.has("trainer.val_check_interval");
  if (data.valDir.empty() && wantsEvaluation)
    context.notice("trainer.val_check_interval",
                   "without data.val_dir there is nothing to evaluate");
}

} // namespace nxdt::config
