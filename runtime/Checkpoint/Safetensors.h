//===- Safetensors.h - safetensors files ------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_SAFETENSORS_H
#define NXDT_RUNTIME_CHECKPOINT_SAFETENSORS_H

#include "runtime/Checkpoint/HostTensor.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// All tensors of one file, as views of the mapped file. The header is not
/// trusted: lying lengths, offsets that overlap, leave holes or end outside,
/// shapes that do not fit their bytes, duplicate names and unknown types are
/// UserErrors that name file and tensor.
TensorMap readSafetensors(const std::string &path);

/// The tensors of a folder: model.safetensors, or the shards of
/// model.safetensors.index.json, which must agree.
TensorMap readSafetensorsFolder(const std::string &dir);

/// Writes `tensors` (names sorted) with the metadata {"format": "pt"}, synced
/// to disk; floating-point tensors converted to `dtype` one by one.
void writeSafetensors(const std::string &path, const TensorMap &tensors,
                      plan::DType dtype);

/// What save_pretrained makes of `tensors` in `dir`: one model.safetensors, or
/// shards of at most `maxShardBytes` and their index.
void writeSafetensorsFolder(const std::string &dir, const TensorMap &tensors,
                            plan::DType dtype,
                            int64_t maxShardBytes = 5'000'000'000);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_SAFETENSORS_H
