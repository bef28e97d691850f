//===- PlanFolder.cpp - what nxdt-run --plan takes ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanFolder.h"

#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Support/UserError.h"

#include "llvm/Support/raw_ostream.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace nxdt;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void nxdt::writeText(const std::string &path, const std::string &text) {
  if (path.empty() || path == "-") {
    llvm::outs() << text;
    return;
  }
  std::error_code error;
  if (fs::path parent = fs::path(path).parent_path(); !parent.empty())
    fs::create_directories(parent, error);
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush())
    throw UserError("cannot write " + path);
}

/// Sets a dotted key where the file has it, or where the value matters.
static void setKey(Json &root, const std::string &section,
                   const std::string &key, const std::string &value) {
  if (value.empty())
    return;
  root[section][key] = value;
}

/// JSON is YAML: the resolved configuration with every path absolute.
static std::string resolvedConfig(const RunConfig &run) {
  Json root = Json::parse(run.resolvedJson);
  setKey(root, "data", "train_dir", run.data.trainDir);
  setKey(root, "data", "val_dir", run.data.valDir);
  setKey(root, "exp_manager", "explicit_log_dir", run.expManager.logDir);
  setKey(root, "exp_manager", "resume_from_checkpoint",
         run.expManager.resumeFromCheckpoint);
  setKey(root, "model", "plugin", run.model.plugin);
  if (!run.model.hfConfigJson.empty())
    setKey(root, "model", "model_config", "model_config.json");
  if (run.expManager.checkpoint.enabled)
    root["exp_manager"]["checkpoint_callback_params"]["dirpath"] =
        run.expManager.checkpoint.dirpath;
  return root.dump(2) + "\n";
}

void nxdt::writePlanFolder(const RunConfig &run, const plan::PlanFamily &family,
                           const std::string &folder) {
  fs::path root(folder);
  writeText((root / "plan.json").string(), plan::toJson(family));
  writeText((root / "config.yaml").string(), resolvedConfig(run));
  if (!run.model.hfConfigJson.empty())
    writeText((root / "model_config.json").string(), run.model.hfConfigJson);
}
