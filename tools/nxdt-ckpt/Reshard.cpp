//===- Reshard.cpp - nxdt-ckpt reshard -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Reshard.h"

#include "nxdt/Config/Load.h"
#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/Compiler.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/CheckpointReader.h"
#include "runtime/Checkpoint/Files.h"
#include "runtime/Checkpoint/RankParts.h"
#include "runtime/Checkpoint/Reshard.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace nxdt::ckpt {
namespace {

namespace fs = std::filesystem;

/// A folder that is gone afterwards.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern =
        (fs::temp_directory_path() / "nxdt-reshard-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      runtime::throwSystemError(pattern, "cannot be made");
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  fs::path path;
};

struct Target {
  plan::PlanFamily family;
  std::string configJson;
};

Target readFolder(const fs::path &folder) {
  Target out;
  std::string path = (folder / "plan.json").string();
  out.family = plan::familyFromJson(
      runtime::readFile(path, /*maxBytes=*/int64_t(4) << 30), path);
  plan::verifyFamily(out.family, path);
  LoadOptions load;
  load.path = (folder / "config.yaml").string();
  load.forExecution = true;
  out.configJson = loadRunConfig(load).run.resolvedJson;
  return out;
}

/// A folder with a plan is taken as it is; a YAML file is compiled.
Target readTarget(const std::string &config) {
  if (fs::is_directory(config))
    return readFolder(config);
  TemporaryFolder folder;
  runCompiler({config, "--emit=plan", "-o", folder.path.string()});
  return readFolder(folder.path);
}

} // namespace

int reshard(const std::string &tag, const std::string &config,
            const std::string &out) {
  fs::path target = fs::absolute(out).lexically_normal();
  if (!target.has_filename())
    target = target.parent_path();
  if (target.extension() != ".ckpt")
    target /= fs::absolute(tag).lexically_normal().filename();
  if (fs::exists(target))
    throw UserError(target.string() + ": exists already");
  runtime::CheckpointReader reader(tag);
  // All that is wrong with the source is known before anything is written.
  reader.verifyFiles();
  Target wanted = readTarget(config);
  std::string written =
      runtime::reshard(reader, wanted.family, target.parent_path().string(),
                       target.stem().string(), wanted.configJson);
  std::string from = reader.head().mesh;
  std::printf("%s: step %lld, from %s to %s\n", written.c_str(),
              static_cast<long long>(reader.head().step),
              from.empty() ? "one rank" : from.c_str(),
              runtime::meshText(plan::meshOf(wanted.family.stages[0])).c_str());
  return 0;
}

} // namespace nxdt::ckpt
