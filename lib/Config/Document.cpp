//===- Document.cpp - a resolved configuration file -----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Config/Document.h"
#include "Interpolation.h"
#include "Override.h"
#include "PyFormat.h"
#include "Resolve.h"
#include "YamlReader.h"
#include "nxdt/Support/UserError.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>

namespace nxdt::config {
namespace {

/// Syntax errors of interpolations count even if an override replaces them
/// afterwards or nobody asks for them.
void checkSyntax(const Node &node, const std::string &key,
                 std::vector<std::string> &errors) {
  constexpr size_t kMaxErrors = 100;
  if (node.isInterpolation() && errors.size() < kMaxErrors) {
    try {
      parseInterpolatedText(*node.string());
    } catch (const std::runtime_error &error) {
      errors.push_back(node.location.str() + ": " +
                       (key.empty() ? "" : key + ": ") + error.what());
    }
  }
  for (size_t i = 0; i < node.items.size(); ++i)
    checkSyntax(*node.items[i], key + "[" + std::to_string(i) + "]", errors);
  for (const Entry &entry : node.entries)
    checkSyntax(*entry.value,
                key.empty() ? pyStr(entry.key) : key + "." + pyStr(entry.key),
                errors);
}

} // namespace

void throwErrors(const std::vector<std::string> &errors) {
  constexpr size_t kShown = 20;
  std::string all;
  for (size_t i = 0; i < errors.size() && i < kShown; ++i)
    all += (i ? "\nerror: " : "") + errors[i];
  if (errors.size() > kShown)
    all += "\nerror: and " + std::to_string(errors.size() - kShown) +
           " errors more";
  throw UserError(all);
}

Document Document::finish(NodePtr root, const std::string &path,
                          const std::vector<std::string> &overrides) {
  std::vector<std::string> errors;
  checkSyntax(*root, "", errors);
  for (const std::string &line : overrides) {
    try {
      Override change = parseOverride(line);
      if (change.value)
        checkSyntax(*change.value, "", errors);
      applyOverride(root, change);
    } catch (const UserError &error) {
      errors.push_back(error.what());
    }
  }
  if (!errors.empty())
    throwErrors(errors);
  Resolver resolver(root);
  Document result;
  result.file = path;
  result.tree = resolver.resolveAll();
  result.deprecations = resolver.notices;
  if (!resolver.errors.empty())
    throwErrors(resolver.errors);
  return result;
}

Document Document::load(const std::string &path,
                        const std::vector<std::string> &overrides) {
  return finish(readYamlFile(path), path, overrides);
}

Document Document::parse(const std::string &text, const std::string &name,
                         const std::vector<std::string> &overrides) {
  return finish(readYamlText(text, name), name, overrides);
}

const Node *Document::find(const std::string &key) const {
  const Node *current = tree.get();
  for (const std::string &part : splitKey(key)) {
    if (current->isMap()) {
      current = current->find(part);
    } else if (current->isList()) {
      if (part.empty() || part.size() > 9 ||
          part.find_first_not_of("0123456789") != std::string::npos)
        return nullptr;
      size_t index = std::stoul(part);
      current =
          index < current->items.size() ? current->items[index].get() : nullptr;
    } else {
      return nullptr;
    }
    if (!current)
      return nullptr;
  }
  return current;
}

std::string Document::where(const std::string &key) const {
  for (std::string prefix = key; !prefix.empty();) {
    if (const Node *node = find(prefix))
      return node->location.str();
    size_t dot = prefix.rfind('.');
    prefix = dot == std::string::npos ? "" : prefix.substr(0, dot);
  }
  return file;
}

std::string Document::absolutePath(const Node &value) {
  namespace fs = std::filesystem;
  const std::string *text = value.string();
  if (!text || text->empty())
    return {};
  fs::path path(*text);
  if (path.is_relative() && value.origin.kind == Location::Kind::File)
    path = fs::path(*value.origin.source).parent_path() / path;
  return fs::absolute(path).lexically_normal().string();
}

nlohmann::ordered_json toJson(const Node &node) {
  if (node.isList()) {
    auto list = nlohmann::ordered_json::array();
    for (const NodePtr &item : node.items)
      list.push_back(toJson(*item));
    return list;
  }
  if (node.isMap()) {
    auto map = nlohmann::ordered_json::object();
    for (const Entry &entry : node.entries)
      map[pyStr(entry.key)] = toJson(*entry.value);
    return map;
  }
  if (const auto *flag = std::get_if<bool>(&node.scalar))
    return *flag;
  if (const auto *whole = std::get_if<int64_t>(&node.scalar))
    return *whole;
  if (const auto *real = std::get_if<double>(&node.scalar))
    if (std::isfinite(*real))
      return *real;
  if (node.isNull())
    return nullptr;
  return pyStr(node.scalar);
}

} // namespace nxdt::config
