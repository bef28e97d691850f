//===- Findings.cpp - the largest differences of a simulation -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Findings.h"
#include "runtime/Simulate/Values.h"

#include <cstdio>

namespace nxdt::runtime {

Findings::Kind &Findings::kindOf(const std::string &name) {
  for (Kind &kind : kinds)
    if (kind.name == name)
      return kind;
  kinds.push_back({});
  kinds.back().name = name;
  return kinds.back();
}

std::string Findings::placeOf(const std::string &name, int64_t rank) const {
  return name +
         (step == 0 ? ", before the first step"
                    : ", step " + std::to_string(step)) +
         ", rank " + std::to_string(rank);
}

bool Findings::note(const std::string &kind, const std::string &name,
                    const Apart &apart, const Tolerance &allowed) {
  Kind &entry = kindOf(kind);
  ++entry.compared;
  if (apart.relative > entry.largest) {
    entry.largest = apart.relative;
    entry.where = placeOf(name, apart.rank);
  }
  if (allowed.holds(apart))
    return false;
  ++entry.failures;
  if (difference)
    return false;
  std::string what = kind == name ? kind : kind + " of " + name;
  what +=
      step == 0 ? " before the first step" : " in step " + std::to_string(step);
  what += ", rank " + std::to_string(apart.rank) + ": apart by " +
          shownApart(apart.relative) + " of the largest element (allowed are " +
          shownApart(allowed.all) + ")";
  difference = {what, ""};
  return true;
}

bool Findings::noteExact(const std::string &kind, const std::string &name,
                         int64_t rank, bool holds) {
  Kind &entry = kindOf(kind);
  entry.isExact = true;
  ++entry.compared;
  if (holds)
    return false;
  ++entry.failures;
  if (entry.where.empty())
    entry.where = placeOf(name, rank);
  if (difference)
    return false;
  difference = {kind + ": " + placeOf(name, rank), ""};
  return true;
}

void Findings::count(const std::string &kind, int64_t tensors) {
  kindOf(kind).compared += tensors;
}

void Findings::setOperation(const std::string &operation) {
  if (difference && difference->operation.empty())
    difference->operation = operation;
}

std::string Findings::table() const {
  std::string out;
  for (const Kind &kind : kinds) {
    std::string apart = shownApart(kind.largest);
    if (kind.isExact)
      apart = kind.failures ? "apart" : "equal";
    char line[96];
    std::snprintf(line, sizeof(line), "  %-18s %-8s %6lld compared",
                  kind.name.c_str(), apart.c_str(),
                  static_cast<long long>(kind.compared));
    out += line;
    if (kind.failures)
      out += ", " + std::to_string(kind.failures) + " too far apart";
    if (!kind.where.empty())
      out +=
          "; " + std::string(kind.isExact ? "first " : "largest ") + kind.where;
    out += '\n';
  }
  return out;
}

} // namespace nxdt::runtime
