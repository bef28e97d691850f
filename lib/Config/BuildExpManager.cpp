//===- BuildExpManager.cpp - exp_manager, typed ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "PyFormat.h"

#include <cstdlib>
#include <ctime>
#include <filesystem>

namespace fs = std::filesystem;

namespace nxdt::config {
namespace {

const std::string kSection = "exp_manager.";
const std::string kCallback = "exp_manager.checkpoint_callback_params.";

std::string now() {
  std::time_t seconds = std::time(nullptr);
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d_%H-%M-%S", &local);
  return text;
}

/// One above the highest version_N that exists.
std::string nextVersion(const fs::path &dir) {
  int64_t next = 0;
  std::error_code ec;
  for (const auto &entry : fs::directory_iterator(dir, ec)) {
    std::string name = entry.path().filename().string();
    if (!name.starts_with("version_") || name.size() > 24)
      continue;
    std::string digits = name.substr(8);
    if (!digits.empty() &&
        digits.find_first_not_of("0123456789") == std::string::npos)
      next = std::max<int64_t>(next, std::stoll(digits) + 1);
  }
  return "version_" + std::to_string(next);
}

/// explicit_log_dir, or exp_dir/name/version.
std::string logDir(Context &context, bool resume) {
  std::string dir = context.pathOf(kSection + "explicit_log_dir");
  if (!dir.empty())
    return dir;
  fs::path base = context.pathOf(kSection + "exp_dir");
  if (base.empty())
    base = fs::absolute("nemo_experiments");
  std::string name = context.stringOr(kSection + "name", "default");
  // An absolute name would silently replace exp_dir.
  if (fs::path(name).is_absolute())
    context.error(kSection + "name", "must be relative: it is a folder under "
                                     "exp_dir");
  base /= name;
  if (const Node *version = context.get(kSection + "version")) {
    if (version->isScalar())
      return (base / pyStr(version->scalar)).lexically_normal().string();
  }
  const char *fromEnvironment = std::getenv("NEMO_EXPM_VERSION");
  if (fromEnvironment && *fromEnvironment)
    return (base / fromEnvironment).lexically_normal().string();
  // A run that may be resumed has to find its folder again.
  if (resume)
    return base.lexically_normal().string();
  bool datetime = context.boolOr(kSection + "use_datetime_version", true);
  return (base / (datetime ? now() : nextVersion(base)))
      .lexically_normal()
      .string();
}

void buildCheckpoints(Context &context) {
  ExpManagerConfig &manager = context.out.run.expManager;
  CheckpointConfig &checkpoint = manager.checkpoint;
  checkpoint.enabled =
      context.boolOr(kSection + "create_checkpoint_callback", true);
  checkpoint.dirpath = context.pathOf(kCallback + "dirpath");
  if (checkpoint.dirpath.empty())
    checkpoint.dirpath = (fs::path(manager.logDir) / "checkpoints").string();
  checkpoint.monitor = context.stringOr(kCallback + "monitor", "val_loss");
  checkpoint.filename = context.stringOr(kCallback + "filename", "");
  if (checkpoint.filename.empty())
    checkpoint.filename = context.stringOr(kSection + "name", "default") +
                          "--{" + checkpoint.monitor + ":.4f}-{epoch}";
  if (checkpoint.filename.find('/') != std::string::npos)
    context.error(kCallback + "filename", "must not contain '/'; the folder is "
                                          "checkpoint_callback_params.dirpath");
  checkpoint.modeMax = context.stringOr(kCallback + "mode", "min") == "max";
  checkpoint.saveTopK = context.intOr(kCallback + "save_top_k", 3);
  checkpoint.saveLast = context.boolOr(kCallback + "save_last", true);
  checkpoint.everyNTrainSteps =
      context.intOr(kCallback + "every_n_train_steps", 0);
  checkpoint.trainTimeIntervalS =
      context.numberOr(kCallback + "train_time_interval", 0);
  if (checkpoint.everyNTrainSteps > 0 && checkpoint.trainTimeIntervalS > 0)
    context.error(kCallback + "train_time_interval",
                  "cannot be combined with every_n_train_steps = " +
                      std::to_string(checkpoint.everyNTrainSteps) +
                      "; keep one of them");
  checkpoint.autoInsertMetricName =
      context.boolOr(kCallback + "auto_insert_metric_name", true);
  if (checkpoint.enabled && checkpoint.monitor == "step" &&
      !checkpoint.modeMax && checkpoint.saveTopK > 0)
    context.notice(kCallback + "monitor",
                   "with mode: min the oldest checkpoints are kept; mode: max "
                   "keeps the newest");
}

} // namespace

void buildExpManager(Context &context) {
  ExpManagerConfig &manager = context.out.run.expManager;
  manager.resumeIfExists = context.boolOr(kSection + "resume_if_exists", false);
  manager.resumeIgnoreNoCheckpoint =
      context.boolOr(kSection + "resume_ignore_no_checkpoint", false);
  manager.resumeFromCheckpoint =
      context.pathOf(kSection + "resume_from_checkpoint");
  manager.createTensorboardLogger =
      context.boolOr(kSection + "create_tensorboard_logger", true);
  manager.logParameterNorm =
      context.boolOr(kSection + "log_parameter_norm", false);
  manager.logGradientNorm =
      context.boolOr(kSection + "log_gradient_norm", false);
  manager.disableValidationOnResume =
      context.boolOr(kSection + "disable_validation_on_resume", true);
  manager.logDir = logDir(context, manager.resumeIfExists);
  if (context.boolOr(kSection + "log_local_rank_0_only", false) &&
      context.boolOr(kSection + "log_global_rank_0_only", false))
    context.error(kSection + "log_global_rank_0_only",
                  "and log_local_rank_0_only are both True; keep one of them");
  buildCheckpoints(context);
}

} // namespace nxdt::config
