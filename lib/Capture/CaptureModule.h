//===- CaptureModule.h - a module becomes a record --------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_CAPTUREMODULE_H
#define NXDT_CAPTURE_CAPTUREMODULE_H

#include "Problems.h"
#include "Record.h"

#include "nxdt/Model.h"

#include <functional>
#include <optional>

namespace nxdt::capture {

struct CaptureOptions {
  int64_t microBatchSize = 1;
  int64_t sequenceLength = 1;
  /// Casts the module (parameters and floating buffers) to bfloat16 after
  /// construction, as Python's module.to(torch.bfloat16) does.
  bool toBFloat16 = false;
};

/// Constructs a module, in training mode, and runs its forward once, both
/// without data. nullopt if `problems` has errors.
std::optional<CapturedModel>
captureModule(const std::function<std::shared_ptr<Model>()> &make,
              const CaptureOptions &options, Problems &problems);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_CAPTUREMODULE_H
