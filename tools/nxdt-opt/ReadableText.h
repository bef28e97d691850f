//===- ReadableText.h - printed IR for people -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TOOLS_NXDT_OPT_READABLETEXT_H
#define NXDT_TOOLS_NXDT_OPT_READABLETEXT_H

#include <string>
#include <string_view>

namespace nxdt {

/// Lines are broken where they would be longer, strings and types excepted.
constexpr size_t kReadableColumns = 120;

/// The same IR, easier to read: arguments of programs have the names of their
/// buffers, locations stand where they are used, signatures have an argument a
/// line, and other long lines are broken in front of types, attributes and
/// locations. `printed` is a module as MLIR prints it with locations.
std::string readableText(std::string_view printed);

} // namespace nxdt

#endif // NXDT_TOOLS_NXDT_OPT_READABLETEXT_H
