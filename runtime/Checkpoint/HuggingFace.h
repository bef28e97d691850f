//===- HuggingFace.h - Hugging Face model folders ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_HUGGINGFACE_H
#define NXDT_RUNTIME_CHECKPOINT_HUGGINGFACE_H

#include "runtime/Checkpoint/HostTensor.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nxdt::runtime {

/// A parameter as the model has it.
struct ParamSpec {
  std::string name; ///< Hugging Face name
  std::vector<int64_t> shape;
};

/// (alias, stored name), as in Plan::tied.
using TiedNames = std::vector<std::pair<std::string, std::string>>;

/// The weights of a folder, opened and checked, read one at a time so that
/// memory holds one fp32 copy only.
class HuggingFaceWeights {
public:
  /// Opens `dir` (model.safetensors, or an index and its shards) and checks
  /// that it holds exactly `params`: missing or unexpected names and wrong
  /// shapes are UserErrors that list them. `rotary_emb.inv_freq` is ignored. A
  /// tied alias may be there if it is equal to the stored one, and a stored
  /// parameter may be there under its alias only.
  static HuggingFaceWeights open(const std::string &dir,
                                 const std::vector<ParamSpec> &params,
                                 const TiedNames &tied = {});

  /// A parameter's elements in fp32 (from bf16, f16, f32 or f64).
  HostTensor fp32(const std::string &name) const;
  /// The same without a copy, as a view of the file in its own type, where that
  /// is bf16, f16 or f32: for those who take a part only.
  HostTensor view(const std::string &name) const;

private:
  std::string dir;
  TensorMap tensors;
};

/// True for a folder with config.json and safetensors.
bool isHuggingFaceFolder(const std::string &path);

/// Writes a folder as save_pretrained does: config.json (`dtype` /
/// `torch_dtype` updated; none if `configJson` is empty) and the safetensors in
/// `dtype` (F32, BF16 or F16). Aliases of `tied` are left out. Made under a
/// temporary name and renamed. An existing, non-empty `outDir` is a UserError
/// unless `force`, which replaces the config and the weights in it and leaves
/// other files (a tokenizer) alone.
void exportHuggingFace(const std::string &outDir, const std::string &configJson,
                       TensorMap tensors, plan::DType dtype,
                       const TiedNames &tied = {}, bool force = false,
                       int64_t maxShardBytes = 5'000'000'000);

/// The weights of a checkpoint for an export: the fp32 masters where there are
/// any.
struct CheckpointData;
TensorMap exportableWeights(const CheckpointData &data);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_HUGGINGFACE_H
