//===- Load.cpp - from a YAML file to a typed configuration ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Load.h"
#include "Build.h"
#include "nxdt/Support/UserError.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace nxdt {

void checkSupported(const LoadedConfig &config) {
  if (!config.unsupported.empty())
    config::throwErrors(config.unsupported);
}

LoadedConfig loadRunConfig(const LoadOptions &options) {
  using namespace config;
  Document doc = Document::load(options.path, options.overrides);
  LoadedConfig out;
  std::vector<std::string> errors;
  out.notices = doc.notices();
  Context context(doc, errors, out);
  RunConfig &run = out.run;
  run.configPath = std::filesystem::absolute(options.path).string();

  checkKeys(context);
  context.require("name", "the name of the run");
  run.name = context.stringOr("name", "");
  if (context.require("model_source", "hf"))
    run.modelSource = context.stringOr("model_source", "");
  run.seed = context.intOr("seed", 1234);
  buildTrainer(context);
  buildExpManager(context);
  buildStrategy(context);
  buildData(context);
  context.require("precision.type", "fp32 or mixed_precision");
  // What is unsupported reads as its nearest relative, for reports.
  run.precision = context.stringOr("precision.type", "") == "fp32"
                      ? Precision::Fp32
                      : Precision::MixedPrecision;
  // Without a model nothing more can be said, not even in a report.
  bool megatron = run.modelSource == "megatron";
  bool mixtral = run.name.find("mixtral") != std::string::npos;
  if ((megatron || mixtral) && !context.has("model.plugin")) {
    if (options.forExecution)
      errors.insert(errors.end(), out.unsupported.begin(),
                    out.unsupported.end());
    if (mixtral)
      errors.push_back(context.at("name", "a name with 'mixtral' asks for a "
                                          "mixture of experts, which is not "
                                          "supported yet"));
    if (megatron && !options.forExecution)
      errors.push_back(
          context.at("model_source",
                     "models of Megatron are not supported yet (now: hf)"));
    throwErrors(errors);
  }
  buildModel(context);
  buildOptim(context);
  run.resolvedJson = toJson(doc.root()).dump();
  if (options.forExecution)
    errors.insert(errors.end(), out.unsupported.begin(), out.unsupported.end());
  if (!errors.empty())
    throwErrors(errors);
  return out;
}

} // namespace nxdt
