//===- JsonReader.h - reads JSON strictly -----------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the readers of the plan's parts share: places for messages, objects that
// refuse unknown members, numbers that must fit.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_PLAN_JSONREADER_H
#define NXDT_LIB_PLAN_JSONREADER_H

#include "nxdt/Support/UserError.h"

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::plan::json {

using Json = nlohmann::json;

/// A place in the document, for messages: "plan.json: programs[2].values[7]".
/// Built only as text of parents, so that a message costs nothing until it is
/// needed: `path` is joined lazily by `text`.
struct Place {
  const Place *parent = nullptr;
  std::string_view key;
  int64_t index = -1;

  Place at(std::string_view name) const { return {this, name, -1}; }
  Place at(size_t i) const { return {this, {}, int64_t(i)}; }
  std::string text() const {
    if (!parent)
      return std::string(key);
    std::string out = parent->text();
    if (index >= 0)
      return out + "[" + std::to_string(index) + "]";
    return out + (parent->parent ? "." : ": ") + std::string(key);
  }
};

[[noreturn]] inline void fail(const Place &place, const std::string &message) {
  throw UserError(place.text() + ": " + message);
}

inline std::string shown(const Json &json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

/// An object all of whose members are asked for: `finish` refuses the rest.
class Object {
public:
  Object(const Json &json, const Place &place) : json(json), place(place) {
    if (!json.is_object())
      fail(place, "expected an object, found " + shown(json));
  }
  const Json &operator[](const char *key) {
    auto it = json.find(key);
    if (it == json.end())
      fail(place, std::string("the field '") + key + "' is missing");
    ++read;
    known += known.empty() ? key : std::string(", ") + key;
    return *it;
  }
  /// For the members that may be left out.
  bool has(const char *key) const { return json.contains(key); }
  /// Refuses members that nobody asked for.
  void finish() const {
    if (read == json.size())
      return;
    for (const auto &[key, value] : json.items())
      if ((", " + known + ",").find(", " + key + ",") == std::string::npos)
        fail(place, "unknown field '" + key + "' (known: " + known + ")");
  }

private:
  const Json &json;
  const Place &place;
  size_t read = 0;
  std::string known;
};

inline const Json &array(const Json &json, const Place &place) {
  if (!json.is_array())
    fail(place, "expected a list, found " + shown(json));
  return json;
}

inline int64_t integer(const Json &json, const Place &place) {
  if (!json.is_number_integer())
    fail(place, "expected an integer, found " + shown(json));
  if (json.is_number_unsigned() &&
      json.get<uint64_t>() > uint64_t(std::numeric_limits<int64_t>::max()))
    fail(place, shown(json) + " does not fit into 64 bits");
  return json.get<int64_t>();
}

inline int32_t integer32(const Json &json, const Place &place) {
  int64_t value = integer(json, place);
  if (value < std::numeric_limits<int32_t>::min() ||
      value > std::numeric_limits<int32_t>::max())
    fail(place, shown(json) + " does not fit into 32 bits");
  return int32_t(value);
}

inline std::string string(const Json &json, const Place &place) {
  if (!json.is_string())
    fail(place, "expected a string, found " + shown(json));
  return json.get<std::string>();
}

template <typename T, typename Reader>
std::vector<T> list(const Json &json, const Place &place, Reader reader) {
  array(json, place);
  std::vector<T> out;
  out.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i)
    out.push_back(reader(json[i], place.at(i)));
  return out;
}

/// Parses, refusing what nlohmann would silently accept: duplicate keys, and
/// nesting so deep that nothing of ours can have written it.
Json parse(std::string_view text, const std::string &what);

} // namespace nxdt::plan::json

#endif // NXDT_LIB_PLAN_JSONREADER_H
