//===- GroupTable.cpp - the groups of one rank by name -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/GroupTable.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>

namespace nxdt::comm {

std::vector<NamedSpec> canonicalSpecs(const Mesh &mesh,
                                      const std::vector<std::string> &specs) {
  std::map<std::string, GroupSpec> sorted;
  for (const std::string &text : specs) {
    GroupSpec spec = parseGroupSpec(text);
    checkGroupSpec(mesh, spec);
    sorted.emplace(groupName(mesh, spec), std::move(spec));
  }
  std::vector<NamedSpec> result;
  for (auto &[name, spec] : sorted)
    result.push_back({name, spec});
  return result;
}

int64_t indexOf(const std::vector<int64_t> &members, int64_t rank) {
  return std::find(members.begin(), members.end(), rank) - members.begin();
}

void GroupTable::add(std::string name, std::unique_ptr<Group> group) {
  byName[std::move(name)] = std::move(group);
}

void GroupTable::stop() {
  for (auto &entry : byName)
    entry.second->drain();
}

Group &GroupTable::find(const Mesh &mesh, const std::string &spec) {
  auto it = byName.find(spec);
  if (it == byName.end())
    it = byName.find(groupName(mesh, parseGroupSpec(spec)));
  if (it != byName.end())
    return *it->second;
  std::string known;
  for (auto &entry : byName)
    known += (known.empty() ? "'" : ", '") + entry.first + "'";
  throw UserError("no group '" + spec + "' was declared at the start; there " +
                  (known.empty() ? "are none" : "are " + known));
}

Group &GroupTable::findChannel(const std::string &name) {
  auto it = byName.find(channelGroupName(name));
  if (it == byName.end())
    throw UserError("no channel '" + name +
                    "' of this rank was declared at the start");
  return *it->second;
}

} // namespace nxdt::comm
