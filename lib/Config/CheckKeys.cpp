//===- CheckKeys.cpp - each key against the schema ------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "PyFormat.h"

namespace nxdt::config {
namespace {

bool isSection(const KeySpec &spec) {
  return std::string_view(spec.type).find("section") != std::string_view::npos;
}

class Checker {
public:
  explicit Checker(Context &context) : context(context) {}

  void checkMap(const Node &map, const std::string &prefix, bool quiet) {
    for (const Entry &entry : map.entries)
      checkEntry(entry, prefix, quiet);
  }

private:
  Context &context;

  /// A section or list is shown where its key stands, a single value where
  /// the value does.
  static std::string head(const Entry &entry, const std::string &key) {
    const Node &value = *entry.value;
    if (value.isScalar())
      return value.location.str() + ": " + key + " = " + show(value) + ": ";
    return entry.keyLocation.str() + ": " + key + ": ";
  }

  void checkEntry(const Entry &entry, const std::string &prefix, bool quiet) {
    std::string key = prefix + pyStr(entry.key);
    const Node &value = *entry.value;
    const KeySpec *spec =
        std::holds_alternative<std::string>(entry.key) ? findKey(key) : nullptr;
    if (!spec) {
      std::string best = nearestSchemaKey(key);
      context.errors.push_back(
          entry.keyLocation.str() + ": unknown key '" + key + "'" +
          (best.empty() ? "" : "; did you mean '" + best + "'?"));
      return;
    }
    std::string problem = checkValue(*spec, value);
    if (!problem.empty()) {
      context.errors.push_back(head(entry, key) + problem);
      return;
    }
    Verdict verdict = judge(*spec, value, context.doc);
    switch (verdict.status) {
    case Status::Ignored:
      if (!quiet)
        context.out.notices.push_back(head(entry, key) +
                                      "ignored: " + verdict.why);
      quiet = true;
      break;
    case Status::Later:
      // One line for a whole section.
      if (!quiet)
        context.out.unsupported.push_back(head(entry, key) + verdict.why);
      quiet = true;
      break;
    case Status::Refused:
      context.errors.push_back(head(entry, key) + verdict.why);
      break;
    case Status::Honoured:
    case Status::Equivalent:
      break;
    }
    if (isSection(*spec) && value.isMap())
      checkMap(value, key + ".", quiet);
  }
};

} // namespace

void checkKeys(Context &context) {
  Checker(context).checkMap(context.doc.root(), "", false);
}

} // namespace nxdt::config
