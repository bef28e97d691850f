//===- MakeModel.h - the model that a request asks for ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_MAKEMODEL_H
#define NXDT_CAPTURE_MAKEMODEL_H

#include "Problems.h"
#include "Record.h"

#include "nxdt/Capture/Capture.h"

#include <optional>

namespace nxdt::capture {

/// Captures the request's Llama or plug-in. Needs no torch headers.
std::optional<CapturedModel> captureRequest(const CaptureRequest &request,
                                            Problems &problems);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_MAKEMODEL_H
