//===- Json.cpp - JSON that is not trusted --------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/Json.h"

#include "nxdt/Support/UserError.h"

#include "nlohmann/json.hpp"

#include <unordered_set>
#include <vector>

namespace nxdt::runtime {

namespace {

template <typename Json>
Json parse(std::string_view text, const std::string &path) {
  std::vector<std::unordered_set<std::string>> open;
  auto onEvent = [&](int, typename Json::parse_event_t event, Json &parsed) {
    if (event == Json::parse_event_t::object_start)
      open.emplace_back();
    if (event == Json::parse_event_t::object_end)
      open.pop_back();
    if (event == Json::parse_event_t::key) {
      auto key = parsed.template get<std::string>();
      if (!open.back().insert(key).second)
        throw UserError(path + ": the key '" + key + "' is there twice");
    }
    return true;
  };
  try {
    return Json::parse(text, onEvent);
  } catch (const typename Json::parse_error &error) {
    std::string reason = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, ...".
    size_t start = reason.find("] ");
    throw UserError(
        path + ": is no valid JSON: " +
        (start == std::string::npos ? reason : reason.substr(start + 2)));
  }
}

} // namespace

nlohmann::ordered_json parseJson(std::string_view text,
                                 const std::string &path) {
  return parse<nlohmann::ordered_json>(text, path);
}

nlohmann::json parseSortedJson(std::string_view text, const std::string &path) {
  return parse<nlohmann::json>(text, path);
}

} // namespace nxdt::runtime
