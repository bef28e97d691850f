//===- Checkpoint.h - one checkpoint on disk --------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_CHECKPOINT_H
#define NXDT_RUNTIME_CHECKPOINT_CHECKPOINT_H

#include "runtime/Checkpoint/HostTensor.h"
#include "runtime/Checkpoint/PtFile.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nxdt::runtime {

/// Which part of its whole a tensor is.
struct TensorPlace {
  std::vector<int64_t> logicalShape; ///< of the whole, unpadded
  std::vector<int64_t> start;
};
using PlaceMap = std::map<std::string, TensorPlace>;

/// All that a run needs to continue bit for bit, and an export to be made; of
/// one rank, or of all.
struct CheckpointData {
  int64_t step = 0;            ///< completed optimizer steps
  int64_t consumedSamples = 0; ///< of the training set
  int64_t seed = 0;
  /// Hugging Face name -> weight in compute precision, logical (unpadded)
  /// shapes. Tied aliases are not in it. Of several ranks, each has what its
  /// own file holds; a tensor without a place is whole.
  TensorMap model;
  PlaceMap modelPlaces;
  /// State name -> parameter name -> tensor. "master" are the fp32 weights
  /// where they differ from `model`; "exp_avg", ... the moments.
  std::map<std::string, TensorMap> optimizer;
  std::map<std::string, PlaceMap> optimizerPlaces;
  /// The ranks that trained ("pp 1 x dp 2 x cp 1 x tp 2") and how they cut the
  /// tensors; "" = not known. Equal layouts continue bit for bit.
  std::string mesh;
  std::string layout;
  /// Names the files of this rank.
  std::string rankName = "dp_rank_00_tp_rank_00_pp_rank_00";
  /// (alias, stored name), as in Plan::tied.
  std::vector<std::pair<std::string, std::string>> tied;
  std::string configJson; ///< the resolved YAML as JSON; "" = none
  std::string
      hfConfigJson; ///< text of config.json; "" = not a Hugging Face model
  /// Last values of what can be monitored ("val_loss", "loss", ...). Kept in
  /// the manifest, so that save_top_k survives a restart.
  std::map<std::string, double> metrics;
  /// Anything else of plain containers (random number state, ...).
  PtDict extra;
};

/// The other ranks of a save, as the first one sees them.
class SavePeers {
public:
  virtual ~SavePeers() = default;
  /// Tells them to write into `folder`, which has model/ and optim/.
  virtual void begin(const std::string &folder) = 0;
  /// Waits until all have, and returns what writeCheckpointPart gave them.
  virtual std::vector<std::string> finish() = 0;
};

/// What the manifest says, without reading a tensor.
struct TagInfo {
  std::string path; ///< the tag folder
  int64_t step = 0;
  int64_t consumedSamples = 0;
  bool last = false;  ///< a `-last` tag of save_last
  std::string mesh;   ///< as in CheckpointData
  std::string layout; ///< the same
  std::map<std::string, double> metrics;
};

/// Writes <dir>/<tagName>.ckpt: the whole tree under a temporary name, every
/// file and folder fsynced, renamed, `done` last. `dir` is made if need be. An
/// existing tag of that name is replaced without a moment in which neither is
/// complete. Returns the tag folder. UserError with the path and the system's
/// reason if something cannot be written.
///
/// With `peers`, this is the first of several ranks: `data` has its own part of
/// the tensors, and `done` comes after all have written.
std::string saveCheckpoint(const std::string &dir, const std::string &tagName,
                           const CheckpointData &data, bool last = false,
                           SavePeers *peers = nullptr);

/// Writes the files of a rank other than the first into `folder`, synced, and
/// returns what the first rank must know of them. A rank without tensors writes
/// nothing.
std::string writeCheckpointPart(const std::string &folder,
                                const CheckpointData &data);

/// Reads a tag folder, whatever the number of ranks that wrote it: whole
/// tensors. Checks `done`, the manifest, each file's size and checksum, and
/// that files and manifest tell the same; UserError names the bad file. Tensors
/// that lie in one file are views of it. CheckpointReader.h reads parts.
CheckpointData loadCheckpoint(const std::string &tagDir);

/// The manifest only. UserError if the tag is incomplete or its manifest is
/// broken.
TagInfo readTagInfo(const std::string &tagDir);

/// True for a folder that looks like a checkpoint's tag, complete or not.
bool isTagFolder(const std::string &path);

/// The complete tag with the highest step under `dir`; nullopt if there is none
/// (or no such folder). A tag that is marked complete but whose manifest is
/// broken is a UserError, never skipped.
std::optional<TagInfo> findLatest(const std::string &dir);

/// All complete tags under `dir`, by step.
std::vector<TagInfo> listTags(const std::string &dir);

/// Removes a tag: `done` first, the manifest last.
void removeTag(const std::string &tagDir);

/// Removes what interrupted saves and removals left under `dir`: temporary
/// names, and tags without `done` that are older than the newest complete one.
/// Returns what was removed.
std::vector<std::string> removeLeftovers(const std::string &dir);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_CHECKPOINT_H
