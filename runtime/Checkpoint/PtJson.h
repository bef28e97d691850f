//===- PtJson.h - JSON as plain containers ----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_PTJSON_H
#define NXDT_RUNTIME_CHECKPOINT_PTJSON_H

#include "runtime/Checkpoint/PtFile.h"

#include <string>

namespace nxdt::runtime {

/// JSON text as dicts, lists and scalars (`what` for errors).
PtValue jsonToPt(const std::string &json, const std::string &what);
/// The way back: the same JSON, compact, the order of keys kept.
std::string ptToJson(const PtValue &value, const std::string &what);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_PTJSON_H
