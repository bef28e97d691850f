//===- GroupTable.h - the groups of one rank by name -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_GROUPTABLE_H
#define NXDT_RUNTIME_COMM_GROUPTABLE_H

#include "runtime/Comm/RankView.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nxdt::comm {

struct NamedSpec {
  std::string name;
  GroupSpec spec;
};

/// Parsed, checked, without repetitions, sorted by name: the order in which all
/// ranks make them. Throws UserError.
std::vector<NamedSpec> canonicalSpecs(const Mesh &mesh,
                                      const std::vector<std::string> &specs);

int64_t indexOf(const std::vector<int64_t> &members, int64_t rank);

class GroupTable {
public:
  void add(std::string name, std::unique_ptr<Group> group);
  Group &find(const Mesh &mesh, const std::string &spec);
  Group &findChannel(const std::string &name);
  const std::map<std::string, std::unique_ptr<Group>> &all() const {
    return byName;
  }
  /// Completes what was started and not waited for.
  void stop();
  void clear() { byName.clear(); }

private:
  std::map<std::string, std::unique_ptr<Group>> byName;
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_GROUPTABLE_H
