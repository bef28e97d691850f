//===- MetricsWriter.cpp - metrics.jsonl ----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Log/MetricsWriter.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/Files.h"

#include "nlohmann/json.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace fs = std::filesystem;

namespace nxdt::runtime {

using Json = nlohmann::ordered_json;

namespace {

constexpr const char *kFileName = "metrics.jsonl";

/// Moves an earlier run's file to <logDir>/run_<k>/, the first k that is free.
std::string moveAway(const std::string &logDir, const std::string &path) {
  for (int64_t k = 0;; ++k) {
    std::string folder = logDir + "/run_" + std::to_string(k);
    std::string target = folder + "/" + kFileName;
    if (fs::exists(target))
      continue;
    makeFolders(folder);
    renamePath(path, target);
    return target;
  }
}

/// The step of a line; UserError for what no run has written.
int64_t stepOf(const std::string &line, const std::string &path,
               int64_t lineNumber) {
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") ||
      !json["step"].is_number_integer())
    throw UserError(path + ":" + std::to_string(lineNumber) +
                    ": is no line of metrics (a JSON object with 'step'); move "
                    "the file away to resume");
  return json["step"].get<int64_t>();
}

/// Keeps the lines up to `resumeStep`. A last line without its newline was torn
/// by the end of the process.
void cutOff(const std::string &path, int64_t resumeStep) {
  std::string text = readFile(path, INT64_MAX);
  std::string kept;
  int64_t lineNumber = 0;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos)
      break;
    std::string line = text.substr(at, end - at);
    at = end + 1;
    if (stepOf(line, path, ++lineNumber) <= resumeStep)
      kept += line + "\n";
  }
  if (kept != text)
    replaceFile(path, kept);
}

} // namespace

MetricsWriter::MetricsWriter(const std::string &logDir,
                             std::optional<int64_t> resumeStep)
    : path(logDir + "/" + kFileName) {
  makeFolders(logDir);
  if (fs::exists(path)) {
    if (resumeStep)
      cutOff(path, *resumeStep);
    else if (fs::file_size(path) > 0)
      moved = moveAway(logDir, path);
  }
  fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0)
    throwSystemError(path, "cannot be written");
}

MetricsWriter::~MetricsWriter() { ::close(fd); }

void MetricsWriter::logStep(const StepMetrics &metrics) {
  Json json = {{"step", metrics.step},
               {"loss", metrics.loss},
               {"grad_norm", metrics.gradNorm},
               {"lr", metrics.lr},
               {"consumed_samples", metrics.consumedSamples},
               {"step_time_s", metrics.stepTimeS},
               {"tokens_per_s", metrics.tokensPerS},
               {"peak_memory_bytes", metrics.peakMemoryBytes}};
  if (metrics.parameterNorm)
    json["parameter_norm"] = *metrics.parameterNorm;
  writeLine(json.dump());
}

void MetricsWriter::logEval(int64_t step, double valLoss) {
  writeLine(Json({{"step", step}, {"val_loss", valLoss}}).dump());
}

void MetricsWriter::writeLine(const std::string &line) {
  // One write: a line is whole or, at a kill, the torn last one.
  std::string text = line + "\n";
  const char *p = text.data();
  size_t left = text.size();
  while (left > 0) {
    ssize_t done = ::write(fd, p, left);
    if (done < 0 && errno == EINTR)
      continue;
    if (done < 0)
      throwSystemError(path, "cannot be written");
    p += done;
    left -= static_cast<size_t>(done);
  }
}

} // namespace nxdt::runtime
