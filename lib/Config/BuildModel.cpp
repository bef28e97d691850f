//===- BuildModel.cpp - model, typed --------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "nxdt/Schedule/NearestStages.h"

#include <nlohmann/json.hpp>

namespace nxdt::config {
namespace {

/// Degrees by which something can be divided, for messages.
std::string divisors(int64_t value, int64_t limit) {
  std::string text;
  for (int64_t i = 1; i <= std::min(value, limit); ++i)
    if (value % i == 0)
      text += (text.empty() ? "" : ", ") + std::to_string(i);
  return text;
}

void checkTensorParallel(Context &context) {
  StrategyConfig &strategy = context.out.run.strategy;
  const LlamaConfig &llama = context.out.run.model.llama;
  int64_t tp = strategy.tensorModelParallelSize;
  const char *key = "distributed_strategy.tensor_model_parallel_size";
  if (tp == 1 || llama.numAttentionHeads == 0)
    return;
  if (llama.numAttentionHeads % tp != 0) {
    context.error(key,
                  "does not divide num_attention_heads = " +
                      std::to_string(llama.numAttentionHeads) +
                      "; legal: " + divisors(llama.numAttentionHeads, 1024));
    return;
  }
  const char *copies = "distributed_strategy.kv_replicator";
  int64_t kv = llama.numKeyValueHeads;
  auto fits = [&](int64_t f) { return tp % f == 0 && (kv * f) % tp == 0; };
  int64_t smallest = 1;
  while (!fits(smallest))
    ++smallest; // tp itself always fits
  if (!context.has(copies)) {
    strategy.kvReplicator = smallest;
    if (smallest > 1)
      context.notice(key, "each of " + std::to_string(kv) +
                              " key/value heads is held by " +
                              std::to_string(smallest) + " ranks");
    return;
  }
  int64_t f = strategy.kvReplicator;
  if (!fits(f))
    context.error(
        copies,
        "must divide tensor_model_parallel_size = " + std::to_string(tp) +
            ", and key/value heads * copies = " + std::to_string(kv) + " * " +
            std::to_string(f) +
            " must be a multiple of it; the smallest legal value "
            "is " +
            std::to_string(smallest));
}

void checkPipeline(Context &context) {
  const StrategyConfig &strategy = context.out.run.strategy;
  ModelConfig &model = context.out.run.model;
  const char *cutsKey = "model.pipeline_cuts";
  if (const Node *cuts = context.get(cutsKey)) {
    model.pipelineCutsOrigin = cuts->location.str() + ": " + cutsKey;
    for (const NodePtr &item : cuts->items) {
      if (const std::string *text = item->string())
        model.pipelineCuts.push_back(*text);
      else
        context.errors.push_back(item->location.str() + ": " + cutsKey + ": " +
                                 show(*item) +
                                 ": must be the name of a layer, e.g. "
                                 "model.layers.18");
    }
  }
  int64_t stages = 0;
  bool huge = __builtin_mul_overflow(strategy.pipelineModelParallelSize,
                                     strategy.virtualPipelineModelParallelSize,
                                     &stages);
  int64_t layers = model.llama.numHiddenLayers;
  if (layers > 0 && (huge || stages > layers))
    context.error(
        "distributed_strategy.pipeline_model_parallel_size",
        "pipeline * virtual stages = " +
            std::to_string(strategy.pipelineModelParallelSize) + " * " +
            std::to_string(strategy.virtualPipelineModelParallelSize) +
            (huge ? "" : " = " + std::to_string(stages)) +
            " are more than the " + std::to_string(layers) +
            " layers of the model; nearest legal: " +
            schedule::nearestStages(strategy.pipelineModelParallelSize,
                                    layers));
  if (!model.pipelineCuts.empty() &&
      (huge || static_cast<int64_t>(model.pipelineCuts.size()) != stages - 1))
    context.error(cutsKey, "names " +
                               std::to_string(model.pipelineCuts.size()) +
                               " cuts; pipeline * virtual - 1 = " +
                               std::to_string(stages - 1) + " are needed");
}

/// Which modules of the hub's Llama a class name of NxD Training stands for, as
/// patterns of their paths.
struct RecomputeClass {
  const char *name;
  std::vector<std::string> patterns;
};

const std::vector<RecomputeClass> &recomputeClasses() {
  static const std::vector<RecomputeClass> classes = {
      {"CoreAttention", {"*.self_attn"}},
      {"LlamaMLP", {"*.mlp", "*.mlp.*"}},
      {"ActivationMultiplyMLP", {"*.mlp"}},
      {"LlamaRMSNorm", {"*layernorm", "model.norm"}},
      {"LlamaRotaryEmbedding", {"model"}},
      {"LlamaDecoderLayer", {"model.layers.*"}},
      {"LlamaForCausalLM", {"model", "model.*", "lm_head"}}};
  return classes;
}

void buildRecompute(Context &context) {
  ModelConfig &model = context.out.run.model;
  const char *key = "model.activations_checkpoint_recompute";
  model.activationsCheckpointGranularity =
      context.stringOr("model.activations_checkpoint_granularity", "");
  if (model.activationsCheckpointGranularity == "full")
    // A plug-in's layers are what is numbered.
    model.recomputePatterns = {model.plugin.empty() ? "model.layers.*"
                                                    : "*.[0-9]*"};
  const Node *list = context.get(key);
  if (!list)
    return;
  bool selective = model.activationsCheckpointGranularity == "selective";
  for (const NodePtr &item : list->items) {
    const std::string *text = item->string();
    std::string where = item->location.str() + ": " + key + ": ";
    if (!text) {
      context.errors.push_back(where + show(*item) +
                               ": must be the name of a class, e.g. "
                               "CoreAttention");
      continue;
    }
    if (!selective)
      continue;
    if (!model.plugin.empty()) {
      model.recomputePatterns.push_back(*text);
      continue;
    }
    auto known =
        std::find_if(recomputeClasses().begin(), recomputeClasses().end(),
                     [&](const RecomputeClass &c) { return c.name == *text; });
    if (known == recomputeClasses().end()) {
      std::string names;
      for (const RecomputeClass &c : recomputeClasses())
        names += (names.empty() ? "" : ", ") + std::string(c.name);
      context.errors.push_back(where + "'" + *text +
                               "' is no class of this model; known are " +
                               names);
      continue;
    }
    model.recomputePatterns.insert(model.recomputePatterns.end(),
                                   known->patterns.begin(),
                                   known->patterns.end());
  }
}

void checkSequence(Context &context) {
  const StrategyConfig &strategy = context.out.run.strategy;
  const ModelConfig &model = context.out.run.model;
  const char *key = "model.encoder_seq_length";
  int64_t length = model.encoderSeqLength;
  int64_t most = model.llama.maxPositionEmbeddings;
  if (most > 0 && length > most)
    context.error(key,
                  "is above max_position_embeddings = " + std::to_string(most) +
                      "; make that larger (model.max_position_embeddings) "
                      "or this smaller");
  if (length % strategy.contextParallelSize != 0)
    context.error(key, "is no multiple of context_parallel_size = " +
                           std::to_string(strategy.contextParallelSize));
  if (strategy.sequenceParallel &&
      length % strategy.tensorModelParallelSize != 0)
    context.error(key, "is no multiple of tensor_model_parallel_size = " +
                           std::to_string(strategy.tensorModelParallelSize) +
                           ", which sequence_parallel needs");
}

} // namespace

void buildModel(Context &context) {
  RunConfig &run = context.out.run;
  ModelConfig &model = run.model;
  model.plugin = context.pathOf("model.plugin");
  if (const Node *section = context.get("model"))
    model.sectionJson = toJson(*section).dump();
  if (context.require("model.encoder_seq_length", "tokens per sample"))
    model.encoderSeqLength = context.intOr("model.encoder_seq_length", 1);
  model.weightInitOnly = context.boolOr("model.weight_init_only", false);
  buildRecompute(context);
  model.fuseFlashAttention =
      context.boolOr("model.fusions.flash_attention", false);
  model.doLayerNormWeightDecay =
      context.boolOr("model.do_layer_norm_weight_decay", false);
  if (model.plugin.empty()) {
    readHfConfig(context);
  } else {
    for (const char *unused :
         {"model.model_config", "model.num_layers", "model.hidden_size",
          "model.rope_theta", "model.max_position_embeddings"})
      if (context.has(unused))
        context.notice(unused, "ignored: model.plugin makes the model; its "
                               "own settings are model.plugin_config");
  }
  if (context.has("model.plugin_config") && model.plugin.empty())
    context.notice("model.plugin_config",
                   "ignored: it is handed to the library of model.plugin, "
                   "and there is none");
  if (!model.plugin.empty() && run.strategy.tensorModelParallelSize > 1 &&
      run.strategy.shardingRules.empty())
    context.notice("distributed_strategy.tensor_model_parallel_size",
                   "splits nothing: distributed_strategy.sharding_rules says "
                   "of no parameter of model.plugin how it lies on the ranks");
  checkTensorParallel(context);
  checkPipeline(context);
  checkSequence(context);
}

} // namespace nxdt::config
