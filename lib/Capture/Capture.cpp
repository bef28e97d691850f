//===- Capture.cpp - the entry points -------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Capture/Capture.h"

#include "EmitModule.h"
#include "MakeModel.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;
using namespace nxdt;
using namespace nxdt::capture;

int32_t nxdt_capture_version() { return kCaptureVersion; }

bool nxdt_capture(MLIRContext *context, const CaptureRequest *request,
                  Operation **module) {
  Problems problems;
  std::optional<CapturedModel> model = captureRequest(*request, problems);
  for (const Problem &problem : problems.finish()) {
    Location location = pathLocation(context, problem.path);
    if (problem.isWarning)
      emitWarning(location) << problem.message;
    else
      emitError(location) << problem.message;
  }
  if (!model)
    return false;
  *module = emitModule(context, *model).release();
  return true;
}
