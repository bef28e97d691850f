//===- Context.cpp - access to the values of a configuration --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"

namespace nxdt::config {

const Node *Context::get(const std::string &key) const {
  const Node *node = doc.find(key);
  return node && !node->isNull() ? node : nullptr;
}

bool Context::boolOr(const std::string &key, bool fallback) const {
  const Node *node = get(key);
  const bool *value =
      node && node->isScalar() ? std::get_if<bool>(&node->scalar) : nullptr;
  return value ? *value : fallback;
}

int64_t Context::intOr(const std::string &key, int64_t fallback) const {
  const Node *node = get(key);
  const int64_t *value =
      node && node->isScalar() ? std::get_if<int64_t>(&node->scalar) : nullptr;
  return value ? *value : fallback;
}

double Context::numberOr(const std::string &key, double fallback) const {
  const Node *node = get(key);
  if (!node || !node->isScalar())
    return fallback;
  if (const auto *real = std::get_if<double>(&node->scalar))
    return *real;
  if (const auto *whole = std::get_if<int64_t>(&node->scalar))
    return static_cast<double>(*whole);
  return fallback;
}

std::string Context::stringOr(const std::string &key,
                              const std::string &fallback) const {
  const Node *node = get(key);
  const std::string *text = node ? node->string() : nullptr;
  return text ? *text : fallback;
}

std::string Context::pathOf(const std::string &key) const {
  const Node *node = get(key);
  return node ? Document::absolutePath(*node) : "";
}

std::string Context::where(const std::string &key) const {
  const Node *node = doc.find(key);
  std::string value = node && node->isScalar() ? " = " + show(*node) : "";
  return doc.where(key) + ": " + key + value;
}

std::string Context::at(const std::string &key, const std::string &what) const {
  return where(key) + ": " + what;
}

bool Context::require(const std::string &key, const std::string &hint) {
  if (has(key))
    return true;
  error(key, "is needed: " + hint);
  return false;
}

} // namespace nxdt::config
