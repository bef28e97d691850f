//===- Judge.cpp - what becomes of a key with its value -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Schema.h"

#include <string_view>

namespace nxdt::config {
namespace {

int64_t intOr(const Document &doc, const char *key, int64_t fallback) {
  const Node *node = doc.find(key);
  if (!node || !node->isScalar())
    return fallback;
  const auto *value = std::get_if<int64_t>(&node->scalar);
  return value ? *value : fallback;
}

std::string stringOr(const Document &doc, const char *key) {
  const Node *node = doc.find(key);
  const std::string *text = node ? node->string() : nullptr;
  return text ? *text : "";
}

bool isOn(const Document &doc, const char *key) {
  const Node *node = doc.find(key);
  return node && !node->isNull();
}

bool isMegatronOnly(std::string_view why) {
  return why == "models of Megatron are not supported yet";
}

std::string legalNow(const KeySpec &spec) {
  if (!*spec.now)
    return {};
  return std::string(" (now: ") + spec.now + ")";
}

/// Keys whose meaning depends on others.
bool judgeByContext(const KeySpec &spec, const Node &value, const Document &doc,
                    Verdict &verdict) {
  std::string_view key = spec.key;
  bool megatron = stringOr(doc, "model_source") == "megatron";
  bool alignment = isOn(doc, "model_alignment_strategy");
  int64_t tp = intOr(doc, "distributed_strategy.tensor_model_parallel_size", 1);
  if (isMegatronOnly(spec.why) && key != "model_source" && !megatron) {
    verdict = {Status::Ignored, "it is read for model_source: megatron only"};
    return true;
  }
  if ((key == "model.moe" || key.starts_with("model.moe.")) && !megatron &&
      stringOr(doc, "name").find("mixtral") == std::string::npos) {
    verdict = {Status::Ignored, "the model is a Llama, which has no experts"};
    return true;
  }
  if ((key == "data.tokenizer" || key.starts_with("data.tokenizer.")) &&
      (megatron || alignment)) {
    verdict = {Status::Later, "text as data is not supported yet"};
    return true;
  }
  if (key == "data.packing" || key == "data.use_sft_style_data_module")
    return false;
  if (key == "distributed_strategy.sequence_parallel") {
    if (tp == 1)
      verdict = {Status::Equivalent, "tensor_model_parallel_size is 1: there "
                                     "is nothing to split"};
    else
      verdict = {Status::Honoured, ""};
    return true;
  }
  if (key == "distributed_strategy.kv_replicator") {
    if (isAmong("1", value))
      verdict = {Status::Equivalent, "1 replicates nothing"};
    else
      verdict = {Status::Honoured, ""};
    return true;
  }
  if (key == "precision.parallel_layers_reduce_dtype") {
    if (tp == 1 || value.isNull())
      verdict = {Status::Equivalent, "tensor_model_parallel_size is 1: there "
                                     "are no such sums"};
    else if (isAmong(stringOr(doc, "precision.type") == "fp32" ? "fp32"
                                                               : "bf16",
                     value))
      verdict = {Status::Honoured, ""};
    else
      verdict = {Status::Later, spec.why};
    return true;
  }
  if (key.starts_with("precision.") && spec.status == Status::Equivalent &&
      key != "precision.fp32_grads_cc" &&
      stringOr(doc, "precision.type") == "manual") {
    verdict = {Status::Later, "precision.type manual is not supported yet"};
    return true;
  }
  if (key == "model.activations_checkpoint_recompute") {
    std::string granularity =
        stringOr(doc, "model.activations_checkpoint_granularity");
    if (granularity == "selective" && !value.isNull())
      verdict = {Status::Honoured, ""};
    else
      verdict = {Status::Equivalent,
                 "it is read for activations_checkpoint_granularity selective "
                 "only"};
    return true;
  }
  if (key == "trainer.accelerator" && isAmong("tpu | neuron", value)) {
    verdict = {Status::Ignored,
               "there are no NeuronCores here: it stands for auto"};
    return true;
  }
  return false;
}

Verdict judgeAnyhow(const KeySpec &spec, const Node &value,
                    const Document &doc) {
  Verdict verdict{spec.status, spec.why};
  if (judgeByContext(spec, value, doc, verdict))
    return verdict;
  switch (spec.status) {
  case Status::Honoured:
    if (*spec.now && !isAmong(spec.now, value))
      return {Status::Later, spec.why + legalNow(spec)};
    return {Status::Honoured, ""};
  case Status::Later:
  case Status::Refused:
    if (*spec.now && isAmong(spec.now, value))
      return {Status::Equivalent, "at this value it changes nothing"};
    return {spec.status, spec.why + legalNow(spec)};
  case Status::Ignored:
    if (value.isNull() || (*spec.now && isAmong(spec.now, value)))
      return {Status::Equivalent, "at this value it changes nothing"};
    break;
  case Status::Equivalent:
    break;
  }
  return verdict;
}

} // namespace

Verdict judge(const KeySpec &spec, const Node &value, const Document &doc) {
  Verdict verdict = judgeAnyhow(spec, value, doc);
  const char *words = "not supported yet";
  if (verdict.status == Status::Later &&
      verdict.why.find(words) == std::string::npos)
    verdict.why = std::string(words) + ": " + verdict.why;
  return verdict;
}

} // namespace nxdt::config
