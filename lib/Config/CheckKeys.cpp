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

  static std::string head(const Location &location, const std::string &key,
                          const Node &value) {
    return location.str() + ": " + key +
           (value.isScalar() ? " = " + show(value) : "") + ": ";
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
      context.errors.push_back(head(value.location, key, value) + problem);
      return;
    }
    Verdict verdict = judge(*spec, value, context.doc);
    switch (verdict.status) {
    case Status::Ignored:
      if (!quiet)
        context.out.notices.push_back(head(value.location, key, value) +
                                      "ignored: " + verdict.why);
      quiet = true;
      break;
    case Status::Later:
      // One line for a whole section.
      if (!quiet)
        context.out.unsupported.push_back(head(value.location, key, value) +
                                          later(verdict.why));
      quiet = true;
      break;
    case Status::Refused:
      context.errors.push_back(head(value.location, key, value) + verdict.why);
      break;
    case Status::Honoured:
    case Status::Equivalent:
      break;
    }
    if (isSection(*spec) && value.isMap())
      checkMap(value, key + ".", quiet);
  }

  static std::string later(const std::string &why) {
    if (why.find("not supported yet") != std::string::npos)
      return why;
    return "not supported yet: " + why;
  }
};

} // namespace

void checkKeys(Context &context) {
  Checker(context).checkMap(context.doc.root(), "", false);
}

} // namespace nxdt::config
