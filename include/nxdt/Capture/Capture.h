//===- Capture.h - from a libtorch module to MLIR ---------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Needs no torch headers. nxdt-opt loads the library by dlopen, and only for a
// YAML input, through the two C symbols.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_CAPTURE_H
#define NXDT_CAPTURE_CAPTURE_H

#include "nxdt/Config/RunConfig.h"

#include <cstdint>

namespace mlir {
class MLIRContext;
class Operation;
} // namespace mlir

namespace nxdt {

struct CaptureRequest {
  ModelConfig model;
  Precision precision = Precision::Fp32;
  int64_t microBatchSize = 1;
  int64_t sequenceLength = 1;
};

/// Raised with every change of CaptureRequest or of the entry points.
constexpr int32_t kCaptureVersion = 1;

/// Types of the entry points, as dlsym returns them.
using CaptureVersionFn = int32_t (*)();
using CaptureFn = bool (*)(mlir::MLIRContext *, const CaptureRequest *,
                           mlir::Operation **);

} // namespace nxdt

extern "C" {

/// kCaptureVersion of the library: ask before calling nxdt_capture.
int32_t nxdt_capture_version();

/// Captures the model of `request` into `*module`, an mlir::ModuleOp that the
/// caller owns:
///
///   nxdt.buffer   each parameter (`init` absent only if forward never uses
///                 it), buffer, and the input `input_ids` [B,S] i64
///   @init         only with buffers: () -> their initial values
///   @forward      (params..., buffers..., input_ids)
///                 -> (logits [B,S,V], mutated buffers...)
///
/// Operators are `nxdt.aten`, as called: views and mutations are still there.
/// Loads the dialects that it needs. On errors all of them are emitted as
/// diagnostics, located by module path, and false is returned.
bool nxdt_capture(mlir::MLIRContext *context,
                  const nxdt::CaptureRequest *request,
                  mlir::Operation **module);
}

#endif // NXDT_CAPTURE_CAPTURE_H
