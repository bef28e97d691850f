//===- Build.h - what the parts of a configuration are built with  -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_CONFIG_BUILD_H
#define NXDT_LIB_CONFIG_BUILD_H

#include "nxdt/Config/Load.h"
#include "nxdt/Config/Schema.h"

namespace nxdt::config {

/// Access to checked values, and where messages go. Values of a wrong type
/// were reported by checkKeys; here they read as the default.
class Context {
public:
  Context(const Document &doc, std::vector<std::string> &errors,
          LoadedConfig &out)
      : doc(doc), errors(errors), out(out) {}

  const Document &doc;
  std::vector<std::string> &errors;
  LoadedConfig &out;

  /// The value of a key, or nullptr if it is absent or null.
  const Node *get(const std::string &key) const;
  bool has(const std::string &key) const { return get(key) != nullptr; }
  bool boolOr(const std::string &key, bool fallback) const;
  int64_t intOr(const std::string &key, int64_t fallback) const;
  double numberOr(const std::string &key, double fallback) const;
  std::string stringOr(const std::string &key,
                       const std::string &fallback) const;
  /// Absolute, or "".
  std::string pathOf(const std::string &key) const;

  /// "file:line:col: key = value".
  std::string where(const std::string &key) const;
  /// "file:line:col: key = value: what".
  std::string at(const std::string &key, const std::string &what) const;
  void error(const std::string &key, const std::string &what) {
    errors.push_back(at(key, what));
  }
  void notice(const std::string &key, const std::string &what) {
    out.notices.push_back(at(key, what));
  }
  void unsupported(const std::string &key, const std::string &what) {
    out.unsupported.push_back(at(key, "not supported yet: " + what));
  }
  /// An error unless the key is there.
  bool require(const std::string &key, const std::string &hint);
};

/// Unknown keys, types, legal values, statuses.
void checkKeys(Context &context);

void buildTrainer(Context &context);
void buildExpManager(Context &context);
void buildStrategy(Context &context);
void buildData(Context &context);
void buildModel(Context &context);
void buildOptim(Context &context);

/// config.json with the YAML's overrides; also its text.
void readHfConfig(Context &context);

} // namespace nxdt::config

#endif // NXDT_LIB_CONFIG_BUILD_H
