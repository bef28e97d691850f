//===- Help.cpp - help and explanations from the schema -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Build.h"
#include "Nearest.h"
#include "PyFormat.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>

namespace nxdt {

using namespace config;

namespace {

std::string sectionOf(const std::string &key) {
  size_t dot = key.rfind('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

bool isSection(const KeySpec &spec) {
  return std::string_view(spec.type).find("section") != std::string_view::npos;
}

std::string describe(const KeySpec &spec) {
  std::string key = spec.key;
  std::string text = "  " + key.substr(key.rfind('.') + 1) + "  (" + spec.type;
  if (*spec.legal)
    text += std::string(", ") + spec.legal;
  text += ")";
  if (*spec.fallback)
    text += std::string("  default: ") + spec.fallback;
  text += "\n      " + std::string(spec.help) + "\n      " + name(spec.status);
  if (spec.status == Status::Honoured) {
    if (*spec.now)
      text += std::string("; now: ") + spec.now +
              (*spec.why ? std::string(" (") + spec.why + ")" : "");
  } else {
    text += std::string(": ") + spec.why;
    if (*spec.now)
      text += std::string("; accepted: ") + spec.now;
  }
  return text + "\n";
}

/// All lines of a file's keys.
class Explainer {
public:
  explicit Explainer(const Document &doc) : doc(doc) {}

  std::string text;

  void walk(const Node &map, const std::string &prefix) {
    for (const Entry &entry : map.entries) {
      std::string key = prefix + pyStr(entry.key);
      const Node &value = *entry.value;
      const KeySpec *spec = std::holds_alternative<std::string>(entry.key)
                                ? findKey(key)
                                : nullptr;
      if (spec && isSection(*spec) && value.isMap() && !value.entries.empty()) {
        walk(value, key + ".");
        continue;
      }
      text +=
          key + " = " + show(value) + ": " + verdict(key, spec, value) + "\n";
    }
  }

private:
  const Document &doc;

  std::string verdict(const std::string &key, const KeySpec *spec,
                      const Node &value) const {
    if (!spec) {
      std::string best = nearestSchemaKey(key);
      return "refused because it is unknown" +
             (best.empty() ? "" : "; did you mean '" + best + "'?");
    }
    std::string problem = checkValue(*spec, value);
    if (!problem.empty())
      return "refused because it " + problem;
    Verdict verdict = judge(*spec, value, doc);
    switch (verdict.status) {
    case Status::Honoured:
      return std::string("honoured: ") + spec->help;
    case Status::Equivalent:
      return "equivalent: " + verdict.why;
    case Status::Ignored:
      return "ignored because " + verdict.why;
    case Status::Later:
    case Status::Refused:
      return "refused because " + verdict.why;
    }
    return {};
  }
};

} // namespace

std::string helpConfig(const std::string &section) {
  std::vector<std::string> sections{""};
  for (const KeySpec &spec : schema())
    if (std::string parent = sectionOf(spec.key);
        std::find(sections.begin(), sections.end(), parent) == sections.end())
      sections.push_back(parent);
  auto wanted = [&](const std::string &candidate) {
    return section.empty() || candidate == section ||
           candidate.starts_with(section + ".");
  };
  std::string text;
  for (const std::string &candidate : sections) {
    if (!wanted(candidate) || (!section.empty() && candidate.empty()))
      continue;
    text += (text.empty() ? "" : "\n") +
            (candidate.empty() ? std::string("(top level)") : candidate) +
            ":\n";
    for (const KeySpec &spec : schema())
      if (sectionOf(spec.key) == candidate && !isSection(spec))
        text += describe(spec);
  }
  if (!text.empty())
    return text;
  // A single key is as good a question.
  if (const KeySpec *spec = findKey(section); spec && section == spec->key)
    return sectionOf(section) + ":\n" + describe(*spec);
  std::string best = nearestKey(section, sections);
  if (best.empty())
    best = nearestSchemaKey(section);
  std::string all;
  for (const std::string &candidate : sections)
    if (!candidate.empty())
      all += (all.empty() ? "" : ", ") + candidate;
  throw UserError("there is no section '" + section + "'" +
                  (best.empty() ? "" : ", did you mean '" + best + "'?") +
                  " (sections: " + all + ")");
}

std::string explainConfig(const LoadOptions &options) {
  Document doc = Document::load(options.path, options.overrides);
  Explainer explainer(doc);
  explainer.walk(doc.root(), "");
  return explainer.text;
}

} // namespace nxdt
