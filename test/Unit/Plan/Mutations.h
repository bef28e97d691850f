//===- Mutations.h - damages a plan in every place -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_PLAN_MUTATIONS_H
#define NXDT_TEST_UNIT_PLAN_MUTATIONS_H

#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nxdt::plan {

using Json = nlohmann::ordered_json;

inline bool isRefused(const std::string &text) {
  try {
    verifyFamily(familyFromJson(text, "p.json"), "p.json");
  } catch (const UserError &) {
    return true;
  }
  return false;
}

/// Pointers to every node of the document but the root.
inline std::vector<Json::json_pointer> nodes(const Json &json) {
  std::vector<Json::json_pointer> out;
  std::vector<Json::json_pointer> todo = {Json::json_pointer()};
  while (!todo.empty()) {
    Json::json_pointer at = todo.back();
    todo.pop_back();
    if (!at.empty())
      out.push_back(at);
    const Json &node = json[at];
    if (node.is_object())
      for (const auto &[key, value] : node.items())
        todo.push_back(at / key);
    else if (node.is_array())
      for (size_t i = 0; i < node.size(); ++i)
        todo.push_back(at / i);
  }
  return out;
}

/// An argument may be of many kinds: what it must be, only its operator's
/// schema knows.
inline bool isArgument(const Json::json_pointer &at) {
  return at.to_string().find("/args/") != std::string::npos;
}

inline void checkTruncated(const std::string &text) {
  ASSERT_FALSE(isRefused(text));
  // Without the newline at the end it is still whole.
  for (size_t size = 0; size + 1 < text.size(); ++size)
    EXPECT_TRUE(isRefused(text.substr(0, size))) << size;
}

inline void checkWrongTypes(const std::string &text) {
  const Json original = Json::parse(text);
  const Json others[] = {
      nullptr,        true,
      -12345678901,   1.5,
      "a string",     Json::array(),
      Json::object(), Json::array({Json::array({"x", "y", "z"})})};
  int64_t tried = 0;
  for (const auto &at : nodes(original)) {
    if (isArgument(at))
      continue;
    for (const Json &other : others) {
      // A change to the same type may be legal; other tests make those.
      if (original[at].type() == other.type() ||
          (original[at].is_number_integer() && other.is_number_integer()))
        continue;
      // Nothing but the type may be wrong: an empty list is a list.
      Json json = original;
      json[at] = other;
      EXPECT_TRUE(isRefused(json.dump())) << at.to_string() << " " << other;
      ++tried;
    }
  }
  EXPECT_GT(tried, 1000);
}

inline void checkFields(const std::string &text) {
  const Json original = Json::parse(text);
  for (const auto &at : nodes(original)) {
    Json json = original;
    if (original[at].is_object()) {
      json[at]["unknown"] = 1;
      EXPECT_TRUE(isRefused(json.dump())) << at.to_string();
    }
    if (!original[at.parent_pointer()].is_object())
      continue;
    json = original;
    json[at.parent_pointer()].erase(at.back());
    EXPECT_TRUE(isRefused(json.dump())) << at.to_string();
  }
}

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_PLAN_MUTATIONS_H
