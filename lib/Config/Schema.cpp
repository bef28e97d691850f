//===- Schema.cpp - every key of a configuration --------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Schema.h"
#include "Nearest.h"
#include "SchemaTables.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <unordered_map>

namespace nxdt::config {
namespace {

std::vector<std::string> split(const char *text, const std::string &mark) {
  std::vector<std::string> parts;
  std::string rest = text;
  while (!rest.empty()) {
    size_t at = rest.find(mark);
    parts.push_back(rest.substr(0, at));
    rest = at == std::string::npos ? "" : rest.substr(at + mark.size());
  }
  return parts;
}

bool hasType(const KeySpec &spec, const char *type) {
  for (const std::string &part : split(spec.type, "|"))
    if (part == type)
      return true;
  return false;
}

bool isBound(const char *legal) {
  return *legal == '>' || *legal == '[' || *legal == '(';
}

bool numberOf(const Node &value, double &number) {
  if (!value.isScalar())
    return false;
  if (const auto *whole = std::get_if<int64_t>(&value.scalar))
    number = static_cast<double>(*whole);
  else if (const auto *real = std::get_if<double>(&value.scalar))
    number = *real;
  else
    return false;
  return true;
}

/// ">= 1", "> 0", "[0, 1)".
bool inBounds(const std::string &legal, double number) {
  if (legal.starts_with(">="))
    return number >= std::strtod(legal.c_str() + 2, nullptr);
  if (legal.starts_with('>'))
    return number > std::strtod(legal.c_str() + 1, nullptr);
  char *end = nullptr;
  double low = std::strtod(legal.c_str() + 1, &end);
  double high = std::strtod(end + 1, nullptr);
  return (legal.front() == '[' ? number >= low : number > low) &&
         (legal.back() == ']' ? number <= high : number < high);
}

/// "a number", "True or False", ... for messages.
std::string describeType(const KeySpec &spec) {
  static const std::unordered_map<std::string, std::string> words = {
      {"null", "null"},        {"bool", "True or False"},
      {"int", "an integer"},   {"float", "a number"},
      {"str", "a string"},     {"path", "a path"},
      {"scalar", "one value"}, {"list", "a list"},
      {"map", "a map"},        {"section", "a section of keys"}};
  std::vector<std::string> parts = split(spec.type, "|");
  // null last: it is the exception.
  std::stable_partition(parts.begin(), parts.end(),
                        [](const std::string &part) { return part != "null"; });
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i)
    text += (i == 0                  ? ""
             : i + 1 == parts.size() ? " or "
                                     : ", ") +
            words.at(parts[i]);
  return text;
}

bool fitsType(const KeySpec &spec, const Node &value) {
  if (value.isList())
    return hasType(spec, "list");
  if (value.isMap())
    return hasType(spec, "map") || hasType(spec, "section");
  if (value.isNull())
    return hasType(spec, "null");
  if (hasType(spec, "scalar"))
    return true;
  if (value.string())
    return hasType(spec, "str") || hasType(spec, "path");
  if (std::holds_alternative<bool>(value.scalar))
    return hasType(spec, "bool");
  if (std::holds_alternative<double>(value.scalar))
    return hasType(spec, "float");
  return hasType(spec, "int") || hasType(spec, "float");
}

/// A nudge for the commonest slips of type.
std::string typeHint(const KeySpec &spec, const Node &value) {
  const auto *real = std::get_if<double>(&value.scalar);
  if (value.isScalar() && real && hasType(spec, "int") &&
      *real == std::floor(*real) && std::fabs(*real) < 1e15)
    return "; write " + std::to_string(static_cast<int64_t>(*real));
  const std::string *text = value.string();
  if (text && *text == "None" && hasType(spec, "null"))
    return "; YAML writes null";
  if (text && !text->empty() &&
      (hasType(spec, "int") || hasType(spec, "float"))) {
    char *end = nullptr;
    std::strtod(text->c_str(), &end);
    if (!*end)
      return "; write it without quotes";
  }
  return {};
}

} // namespace

std::span<const KeySpec> schema() {
  static const std::vector<KeySpec> all = [] {
    std::vector<KeySpec> keys;
    for (auto part : {topKeys(), trainerKeys(), expManagerKeys(),
                      strategyKeys(), dataKeys(), modelKeys(), megatronKeys(),
                      optimKeys(), precisionKeys(), alignmentKeys()})
      keys.insert(keys.end(), part.begin(), part.end());
    return keys;
  }();
  return all;
}

const KeySpec *findKey(const std::string &key) {
  static const auto index = [] {
    std::unordered_map<std::string, const KeySpec *> index;
    for (const KeySpec &spec : schema())
      index.emplace(spec.key, &spec);
    return index;
  }();
  auto found = index.find(key);
  if (found != index.end())
    return found->second;
  // Below a free-form map everything belongs to it.
  for (size_t dot = key.rfind('.'); dot != std::string::npos && dot > 0;
       dot = key.rfind('.', dot - 1)) {
    found = index.find(key.substr(0, dot));
    if (found != index.end())
      return hasType(*found->second, "map") ? found->second : nullptr;
  }
  return nullptr;
}

std::string nearestSchemaKey(const std::string &key) {
  static const std::vector<std::string> known = [] {
    std::vector<std::string> known;
    for (const KeySpec &spec : schema())
      known.push_back(spec.key);
    return known;
  }();
  return nearestKey(key, known);
}

bool isAmong(const char *values, const Node &value) {
  for (const std::string &word : split(values, " | ")) {
    if (word == "null" ? value.isNull() : false)
      return true;
    if (word == "[]" && value.isList() && value.items.empty())
      return true;
    if (word == "{}" && value.isMap() && value.entries.empty())
      return true;
    if (!value.isScalar())
      continue;
    if (const std::string *text = value.string()) {
      if (*text == word)
        return true;
      continue;
    }
    if (const auto *flag = std::get_if<bool>(&value.scalar)) {
      if (word == (*flag ? "True" : "False"))
        return true;
      continue;
    }
    double number = 0;
    char *end = nullptr;
    double wanted = std::strtod(word.c_str(), &end);
    if (numberOf(value, number) && !*end && number == wanted)
      return true;
  }
  return false;
}

std::string checkValue(const KeySpec &spec, const Node &value) {
  if (value.isMissing())
    return "the mandatory value is not set (\?\?\?)";
  if (value.isScalar() && std::holds_alternative<BigInt>(value.scalar))
    return "the integer does not fit into 64 bits";
  if (!fitsType(spec, value))
    return "must be " + describeType(spec) + typeHint(spec, value);
  double number = 0;
  bool isNumber = numberOf(value, number);
  if (isNumber && !std::isfinite(number) && !hasType(spec, "scalar"))
    return "must be a finite number";
  if (!*spec.legal || value.isNull() || value.isContainer())
    return {};
  if (isBound(spec.legal)) {
    if (isNumber && !inBounds(spec.legal, number))
      return std::string("must be ") + (*spec.legal == '>' ? "" : "in ") +
             spec.legal;
    return {};
  }
  if (isAmong(spec.legal, value))
    return {};
  std::string nearest;
  if (const std::string *text = value.string())
    nearest = nearestKey(*text, split(spec.legal, " | "));
  return std::string("must be one of ") + spec.legal +
         (nearest.empty() ? "" : "; did you mean '" + nearest + "'?");
}

const char *name(Status status) {
  switch (status) {
  case Status::Honoured:
    return "honoured";
  case Status::Equivalent:
    return "equivalent";
  case Status::Ignored:
    return "ignored";
  case Status::Later:
    return "not supported yet";
  case Status::Refused:
    return "refused";
  }
  return "";
}

} // namespace nxdt::config
