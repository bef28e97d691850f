//===- TagFiles.h - names and life of a tag folder --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_TAGFILES_H
#define NXDT_RUNTIME_CHECKPOINT_TAGFILES_H

#include <optional>
#include <string>

namespace nxdt::runtime {

inline constexpr const char *kTagEnding = ".ckpt";
inline constexpr const char *kMarkerFile = "checkpoint";
inline constexpr const char *kModelFile =
    "model/dp_rank_00_tp_rank_00_pp_rank_00.pt";
inline constexpr const char *kOptimFile =
    "optim/dp_rank_00_tp_rank_00_pp_rank_00.pt";
inline constexpr const char *kUserContentFile = "user_content.pt";
inline constexpr const char *kManifestFile = "manifest.json";
inline constexpr const char *kDoneFile = "done";

/// Where a tag is made before it gets its name.
std::string temporaryName(const std::string &dir, const std::string &tagName);

/// Gives a finished temporary folder its name and marks it `done`; an existing
/// tag of that name stays complete under another name until then. Returns the
/// tag folder.
std::string publishTag(const std::string &dir, const std::string &tagName,
                       const std::string &temporary);

/// Makes <dir>/<tagName>.ckpt, a `-last` tag with the content of the complete
/// tag `tagDir`, by hard links. nullopt where the file system has none.
std::optional<std::string> linkTag(const std::string &tagDir,
                                   const std::string &dir,
                                   const std::string &tagName);

/// UserError unless `tagDir` is a checkpoint that was finished.
void requireComplete(const std::string &tagDir);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_TAGFILES_H
