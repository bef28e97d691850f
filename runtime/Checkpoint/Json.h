//===- Json.h - JSON that is not trusted ------------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_CHECKPOINT_JSON_H
#define NXDT_RUNTIME_CHECKPOINT_JSON_H

#include "nlohmann/json_fwd.hpp"

#include <string>
#include <string_view>

namespace nxdt::runtime {

/// Parses JSON from a file. UserError "<path>: ..." for broken JSON and for an
/// object that has a key twice (parsers differ in which one wins). The order of
/// keys is kept.
nlohmann::ordered_json parseJson(std::string_view text,
                                 const std::string &path);
/// The same with sorted keys: look-ups stay fast in large objects.
nlohmann::json parseSortedJson(std::string_view text, const std::string &path);

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_CHECKPOINT_JSON_H
