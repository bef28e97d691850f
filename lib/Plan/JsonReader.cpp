//===- JsonReader.cpp - reads JSON strictly ---------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "JsonReader.h"

#include <set>

namespace nxdt::plan::json {

Json parse(std::string_view text, const std::string &what) {
  constexpr int kMaxDepth = 16;
  std::vector<std::set<std::string>> keys;
  auto callback = [&](int depth, Json::parse_event_t event, Json &parsed) {
    if (depth > kMaxDepth)
      throw UserError(what + ": nested deeper than " +
                      std::to_string(kMaxDepth) + " levels: not a plan");
    if (event == Json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == Json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == Json::parse_event_t::key &&
             !keys.back().insert(parsed.get<std::string>()).second)
      throw UserError(what + ": the key '" + parsed.get<std::string>() +
                      "' stands twice in one object");
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), callback);
  } catch (const Json::exception &e) {
    throw UserError(what + ": not a plan, its JSON is broken: " + e.what());
  }
}

} // namespace nxdt::plan::json
