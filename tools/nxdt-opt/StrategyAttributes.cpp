//===- StrategyAttributes.cpp - the strategy, for the passes --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "StrategyAttributes.h"

#include "Nxdt/IR/Sharding.h"
#include "nxdt/Passes/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace nxdt;

namespace {
/// What a linear layer or table of the hub's Llama does with its weight.
enum class ParamRole {
  Column,   ///< weight [out, in]: outputs are split
  KeyValue, ///< the same, by key/value heads, which several ranks may hold
  Row,      ///< inputs are split, the sum is over ranks
  Table,    ///< [vocabulary, hidden]: the vocabulary is split
};
struct HubParam {
  StringLiteral module;
  ParamRole role;
};
} // namespace

static constexpr HubParam kLlama[] = {
    {"embed_tokens", ParamRole::Table}, {"lm_head", ParamRole::Table},
    {"q_proj", ParamRole::Column},      {"k_proj", ParamRole::KeyValue},
    {"v_proj", ParamRole::KeyValue},    {"o_proj", ParamRole::Row},
    {"gate_proj", ParamRole::Column},   {"up_proj", ParamRole::Column},
    {"down_proj", ParamRole::Row}};

static StringRef roleText(ParamRole role) {
  switch (role) {
  case ParamRole::Column:
    return "Llama's column-parallel linear layer, its outputs are split";
  case ParamRole::KeyValue:
    return "Llama's column-parallel linear layer, its key/value heads are "
           "split";
  case ParamRole::Row:
    return "Llama's row-parallel linear layer, its inputs are split and the "
           "outputs are sums";
  case ParamRole::Table:
    return "Llama's table over the vocabulary, which is split";
  }
  return "";
}

/// The rule of one parameter of the hub; null if it lies on every rank.
static DictionaryAttr hubRule(Builder &b, BufferOp param,
                              const StrategyConfig &strategy) {
  auto [path, leaf] = param.getSymName().rsplit('.');
  StringRef module = path.rsplit('.').second;
  if (module.empty())
    module = path;
  const auto *known = llvm::find_if(kLlama, [&](const HubParam &candidate) {
    return candidate.module == module;
  });
  if (known == std::end(kLlama))
    return {};
  int64_t tp = strategy.tensorModelParallelSize;
  bool copies = known->role == ParamRole::KeyValue;
  auto axis = AxisAttr::get(b.getContext(), b.getStringAttr("tp"), 1,
                            copies ? tp / strategy.kvReplicator : tp);
  int64_t rank = param.getTensorType().getRank();
  SmallVector<Attribute> dims(rank, b.getArrayAttr({}));
  bool isRow = known->role == ParamRole::Row;
  // The bias of a row-parallel layer is added once, after the sum.
  if (isRow && rank == 1)
    return {};
  dims[isRow ? 1 : 0] = b.getArrayAttr({axis});
  return b.getDictionaryAttr(
      {b.getNamedAttr("pattern", param.getSymNameAttr()),
       b.getNamedAttr("dims", b.getArrayAttr(dims)),
       b.getNamedAttr("origin", b.getStringAttr(roleText(known->role)))});
}

static DictionaryAttr userRule(Builder &b, const ParamShardingRule &rule) {
  SmallVector<Attribute> dims;
  for (const std::vector<std::string> &axes : rule.dims)
    dims.push_back(
        b.getStrArrayAttr(SmallVector<StringRef>(axes.begin(), axes.end())));
  return b.getDictionaryAttr(
      {b.getNamedAttr("pattern", b.getStringAttr(rule.pattern)),
       b.getNamedAttr("dims", b.getArrayAttr(dims)),
       b.getNamedAttr("origin", b.getStringAttr(rule.origin))});
}

static DictionaryAttr pipelineOf(Builder &b, const RunConfig &config) {
  const std::vector<std::string> &cuts = config.model.pipelineCuts;
  NamedAttrList list;
  list.set(
      "chunks_per_stage",
      b.getI64IntegerAttr(config.strategy.virtualPipelineModelParallelSize));
  list.set("micro_batches", b.getI64IntegerAttr(config.numMicroBatches()));
  list.set("cuts",
           b.getStrArrayAttr(SmallVector<StringRef>(cuts.begin(), cuts.end())));
  list.set("cuts_origin", b.getStringAttr(config.model.pipelineCutsOrigin));
  for (const auto &[name, origin] : config.strategy.origins)
    if (name == "pp")
      list.set("origin", b.getStringAttr(origin));
  return list.getDictionary(b.getContext());
}

void nxdt::annotateStrategy(ModuleOp module, const RunConfig &config) {
  Builder b(module.getContext());
  const StrategyConfig &strategy = config.strategy;
  MLIRContext *context = module.getContext();
  SmallVector<StringAttr> names;
  for (StringRef name : {"pp", "dp", "cp", "tp"})
    names.push_back(b.getStringAttr(name));
  Operation *op = module;
  op->setAttr(kMeshAttr, MeshAttr::get(context, names,
                                       {strategy.pipelineModelParallelSize,
                                        strategy.dataParallelSize,
                                        strategy.contextParallelSize,
                                        strategy.tensorModelParallelSize}));
  op->setAttr(kBucketBytesAttr, b.getI64IntegerAttr(strategy.bucketBytes));
  NamedAttrList origins;
  for (const auto &[name, origin] : strategy.origins)
    origins.set(name, b.getStringAttr(origin));
  op->setAttr(kStrategyAttr,
              b.getDictionaryAttr(
                  {b.getNamedAttr("zero1", b.getBoolAttr(strategy.zero1)),
                   b.getNamedAttr("sequence_parallel",
                                  b.getBoolAttr(strategy.sequenceParallel)),
                   b.getNamedAttr("origins", origins.getDictionary(context))}));
  SmallVector<Attribute> rules;
  for (const ParamShardingRule &rule : strategy.shardingRules)
    rules.push_back(userRule(b, rule));
  if (rules.empty() && config.model.plugin.empty() &&
      strategy.tensorModelParallelSize > 1)
    for (auto buffer : module.getOps<BufferOp>())
      if (buffer.getRole() == "param")
        if (DictionaryAttr rule = hubRule(b, buffer, strategy))
          rules.push_back(rule);
  op->setAttr(kShardingRulesAttr, b.getArrayAttr(rules));
  if (strategy.pipelineModelParallelSize > 1)
    op->setAttr(kPipelineAttr, pipelineOf(b, config));
  if (config.model.recomputePatterns.empty())
    return;
  SmallVector<StringRef> patterns(config.model.recomputePatterns.begin(),
                                  config.model.recomputePatterns.end());
  op->setAttr(kRecomputeAttr, b.getStrArrayAttr(patterns));
}
