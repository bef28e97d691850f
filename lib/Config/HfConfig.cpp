//===- HfConfig.cpp - a Hugging Face config.json, with the YAML's changes -===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// transformers 4 writes rope_theta and rope_scaling ({rope_type or type, ...}),
// transformers 5 rope_parameters ({rope_type, rope_theta, ...}).
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "YamlReader.h"
#include "nxdt/Support/UserError.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace nxdt::config {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMaxJsonBytes = 4 << 20;
constexpr int kMaxDepth = 100;

/// Reads typed fields of one JSON object; each problem is an error that names
/// the file and the field.
class Fields {
public:
  Fields(const Json &object, std::string file, std::string prefix,
         Context &context)
      : object(object), file(std::move(file)), prefix(std::move(prefix)),
        context(context) {}

  bool has(const char *name) const {
    return object.contains(name) && !object[name].is_null();
  }

  void error(const char *name, const std::string &what) {
    std::string value = has(name) ? " = " + shown(object[name]) : "";
    context.errors.push_back(file + ": " + prefix + name + value + ": " + what);
  }

  /// At least 1; an absent one without a default is an error.
  int64_t size(const char *name, int64_t fallback) {
    if (!has(name)) {
      if (fallback <= 0)
        error(name, "is needed");
      return std::max<int64_t>(fallback, 1);
    }
    const Json &value = object[name];
    constexpr int64_t kMost = int64_t{1} << 40;
    if (!value.is_number_integer() || value.get<int64_t>() < 1 ||
        value.get<int64_t>() > kMost ||
        (value.is_number_unsigned() &&
         value.get<uint64_t>() > static_cast<uint64_t>(kMost))) {
      error(name, "must be an integer of at least 1");
      return std::max<int64_t>(fallback, 1);
    }
    return value.get<int64_t>();
  }

  double number(const char *name, double fallback, double above) {
    if (!has(name))
      return fallback;
    const Json &value = object[name];
    if (!value.is_number() || !std::isfinite(value.get<double>()) ||
        value.get<double>() <= above) {
      error(name, "must be a number above " + Json(above).dump());
      return fallback;
    }
    return value.get<double>();
  }

  bool flag(const char *name, bool fallback) {
    if (!has(name))
      return fallback;
    if (!object[name].is_boolean()) {
      error(name, "must be true or false");
      return fallback;
    }
    return object[name].get<bool>();
  }

  std::string word(const char *name, const std::string &fallback) {
    if (!has(name))
      return fallback;
    if (!object[name].is_string()) {
      error(name, "must be a string");
      return fallback;
    }
    return object[name].get<std::string>();
  }

private:
  const Json &object;
  std::string file;
  std::string prefix;
  Context &context;

  static std::string shown(const Json &value) {
    std::string text =
        value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() > 80 ? text.substr(0, 80) + "..." : text;
  }
};

/// Parses with a bound on nesting: the parser itself recurses into nothing,
/// but copies and destructors do.
Json parseJson(const std::string &text, const std::string &file) {
  auto depth = [](int depth, Json::parse_event_t, Json &) {
    if (depth > kMaxDepth)
      throw UserError("nested deeper than " + std::to_string(kMaxDepth) +
                      " levels");
    return true;
  };
  try {
    Json json = Json::parse(text, depth);
    if (!json.is_object())
      throw UserError("must hold one object {...}");
    return json;
  } catch (const Json::exception &error) {
    std::string what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    size_t bracket = what.find("] ");
    throw UserError(
        file + ": not valid JSON: " +
        (bracket == std::string::npos ? what : what.substr(bracket + 2)));
  } catch (const UserError &error) {
    throw UserError(file + ": " + error.what());
  }
}

void readRope(Json &json, const std::string &file, LlamaConfig &llama,
              Context &context) {
  bool newForm =
      json.contains("rope_parameters") && !json["rope_parameters"].is_null();
  const char *name = newForm ? "rope_parameters" : "rope_scaling";
  Fields top(json, file, "", context);
  llama.ropeTheta = top.number("rope_theta", 10000.0, 0.0);
  if (!top.has(name))
    return;
  if (!json[name].is_object()) {
    top.error(name, "must be an object {...}");
    return;
  }
  Fields rope(json[name], file, std::string(name) + ".", context);
  llama.ropeTheta = rope.number("rope_theta", llama.ropeTheta, 0.0);
  std::string kind = rope.word("rope_type", rope.word("type", "default"));
  RopeScaling &scaling = llama.ropeScaling;
  if (kind == "default")
    return;
  if (kind != "linear" && kind != "llama3") {
    rope.error(rope.has("rope_type") ? "rope_type" : "type",
               "is not supported yet; supported are default, linear, llama3");
    return;
  }
  if (!rope.has("factor"))
    rope.error("factor", "is needed");
  scaling.factor = rope.number("factor", 1.0, 0.0);
  if (kind == "linear") {
    scaling.kind = RopeScaling::Kind::Linear;
    return;
  }
  scaling.kind = RopeScaling::Kind::Llama3;
  for (const char *needed : {"low_freq_factor", "high_freq_factor",
                             "original_max_position_embeddings"})
    if (!rope.has(needed))
      rope.error(needed, "is needed");
  scaling.lowFreqFactor = rope.number("low_freq_factor", 1.0, 0.0);
  scaling.highFreqFactor = rope.number("high_freq_factor", 4.0, 0.0);
  scaling.originalMaxPositionEmbeddings =
      rope.size("original_max_position_embeddings", 8192);
  if (scaling.highFreqFactor <= scaling.lowFreqFactor)
    rope.error("high_freq_factor", "must be above low_freq_factor = " +
                                       Json(scaling.lowFreqFactor).dump());
}

/// model.num_layers and the like win over config.json.
void applyOverrides(Json &json, LlamaConfig &llama, Context &context) {
  auto number = [&](const char *key) -> int64_t {
    int64_t value = context.intOr(std::string("model.") + key, -1);
    if (value == 0)
      context.error(std::string("model.") + key,
                    "must be at least 1, or -1 or null to keep config.json's");
    constexpr int64_t kMost = int64_t{1} << 40;
    if (value > kMost) {
      context.error(std::string("model.") + key, "is too large");
      return -1;
    }
    return value;
  };
  if (int64_t layers = number("num_layers"); layers > 0) {
    llama.numHiddenLayers = layers;
    json["num_hidden_layers"] = layers;
  }
  if (int64_t positions = number("max_position_embeddings"); positions > 0) {
    llama.maxPositionEmbeddings = positions;
    json["max_position_embeddings"] = positions;
  }
  int64_t width = number("hidden_size");
  if (width > 0 && width != llama.hiddenSize) {
    llama.hiddenSize = width;
    json["hidden_size"] = width;
    // As upstream: the heads share the new width.
    int64_t heads = llama.numAttentionHeads;
    if (width % heads != 0)
      context.error(
          "model.hidden_size",
          "is no multiple of num_attention_heads = " + std::to_string(heads) +
              "; nearest legal values: " +
              std::to_string(std::max(width - width % heads, heads)) + " and " +
              std::to_string(width - width % heads + heads));
    llama.headDim = std::max<int64_t>(1, width / heads);
    json["head_dim"] = llama.headDim;
    context.notice("model.hidden_size",
                   "head_dim becomes hidden_size / heads = " +
                       std::to_string(llama.headDim));
  }
  double theta = context.numberOr("model.rope_theta", -1);
  if (theta > 0) {
    llama.ropeTheta = theta;
    if (json.contains("rope_parameters") && json["rope_parameters"].is_object())
      json["rope_parameters"]["rope_theta"] = theta;
    else
      json["rope_theta"] = theta;
  } else if (theta != -1) {
    context.error("model.rope_theta",
                  "must be above 0, or -1 or null to keep config.json's");
  }
}

void checkHeads(const std::string &file, const LlamaConfig &llama,
                Context &context) {
  if (llama.numAttentionHeads % llama.numKeyValueHeads != 0)
    context.errors.push_back(file + ": num_attention_heads = " +
                             std::to_string(llama.numAttentionHeads) +
                             " is no multiple of num_key_value_heads = " +
                             std::to_string(llama.numKeyValueHeads));
  if (llama.headDim % 2 != 0)
    context.errors.push_back(file +
                             ": head_dim = " + std::to_string(llama.headDim) +
                             " is odd; the rotary embedding turns pairs");
}

} // namespace

void readHfConfig(Context &context) {
  namespace fs = std::filesystem;
  const char *key = "model.model_config";
  if (!context.require(key, "the path of a Hugging Face config.json, or of its "
                            "folder (or model.plugin)"))
    return;
  std::string file = context.pathOf(key);
  std::error_code ec;
  if (fs::is_directory(file, ec))
    file = (fs::path(file) / "config.json").string();
  ModelConfig &model = context.out.run.model;
  LlamaConfig &llama = model.llama;
  Json json;
  try {
    json = parseJson(readTextFile(file, kMaxJsonBytes), file);
  } catch (const UserError &error) {
    bool absent = !fs::exists(file, ec);
    context.error(key, std::string(error.what()) +
                           (absent ? "; name another one with "
                                     "model.model_config=PATH"
                                   : ""));
    return;
  }
  size_t before = context.errors.size();
  Fields fields(json, file, "", context);
  std::string type = fields.word("model_type", "llama");
  if (type != "llama")
    fields.error("model_type", "is not supported yet; supported is llama (or "
                               "a module of your own, model.plugin)");
  std::string activation = fields.word("hidden_act", "silu");
  if (activation != "silu" && activation != "swish")
    fields.error("hidden_act", "is not supported yet; supported is silu");
  llama.vocabSize = fields.size("vocab_size", 0);
  llama.hiddenSize = fields.size("hidden_size", 0);
  llama.intermediateSize = fields.size("intermediate_size", 0);
  llama.numHiddenLayers = fields.size("num_hidden_layers", 0);
  llama.numAttentionHeads = fields.size("num_attention_heads", 0);
  llama.numKeyValueHeads =
      fields.size("num_key_value_heads", llama.numAttentionHeads);
  if (!fields.has("head_dim") &&
      llama.hiddenSize % llama.numAttentionHeads != 0)
    fields.error("hidden_size", "is no multiple of num_attention_heads = " +
                                    std::to_string(llama.numAttentionHeads) +
                                    ", and there is no head_dim");
  llama.headDim = fields.size(
      "head_dim",
      std::max<int64_t>(1, llama.hiddenSize / llama.numAttentionHeads));
  llama.maxPositionEmbeddings = fields.size("max_position_embeddings", 2048);
  llama.rmsNormEps = fields.number("rms_norm_eps", 1e-6, 0.0);
  llama.tieWordEmbeddings = fields.flag("tie_word_embeddings", false);
  llama.attentionBias = fields.flag("attention_bias", false);
  llama.mlpBias = fields.flag("mlp_bias", false);
  llama.initializerRange = fields.number("initializer_range", 0.02, 0.0);
  if (fields.has("attention_dropout") &&
      !(json["attention_dropout"].is_number() &&
        json["attention_dropout"].get<double>() == 0.0))
    fields.error("attention_dropout",
                 "must be 0: dropout is not supported yet");
  readRope(json, file, llama, context);
  if (context.errors.size() > before)
    return;
  applyOverrides(json, llama, context);
  checkHeads(file, llama, context);
  model.hfConfigJson =
      json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace nxdt::config
