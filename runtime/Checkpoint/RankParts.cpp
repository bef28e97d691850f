//===- RankParts.cpp - which rank writes what --------------------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Checkpoint/RankParts.h"

#include <algorithm>
#include <cstdio>

namespace nxdt::runtime {

namespace {

bool isBatchAxis(const std::string &name) {
  return name == "dp" || name == "cp";
}

/// FNV-1a.
struct Hash {
  uint64_t value = 0xcbf29ce484222325;
  void add(const std::string &text) {
    for (char c : text + '\n')
      value = (value ^ uint8_t(c)) * 0x100000001b3;
  }
};

std::string layoutLine(const plan::Buffer &buffer) {
  std::string line = std::string(plan::name(buffer.role)) + " " + buffer.param +
                     " " + buffer.state + " " +
                     std::string(plan::name(buffer.dtype)) + " " +
                     shapeText(buffer.logicalShape);
  for (const plan::Axes &axes : buffer.split) {
    line += ";";
    for (const std::string &axis : axes)
      line += " " + axis;
  }
  return line;
}

} // namespace

std::string rankName(const plan::Mesh &mesh, int64_t rank) {
  std::vector<int64_t> at = mesh.coordinates(rank);
  int64_t dp = 0, tp = 0, pp = 0;
  for (size_t i = 0; i < mesh.axes.size(); ++i) {
    if (isBatchAxis(mesh.axes[i].name))
      dp = dp * mesh.axes[i].size + at[i];
    else if (mesh.axes[i].name == "tp")
      tp = at[i];
    else if (mesh.axes[i].name == "pp")
      pp = at[i];
  }
  char text[128];
  std::snprintf(text, sizeof(text),
                "dp_rank_%02lld_tp_rank_%02lld_pp_rank_%02lld",
                static_cast<long long>(dp), static_cast<long long>(tp),
                static_cast<long long>(pp));
  return text;
}

std::string meshText(const plan::Mesh &mesh) {
  std::string out;
  for (const plan::MeshAxis &axis : mesh.axes)
    out += (out.empty() ? "" : " x ") + axis.name + " " +
           std::to_string(axis.size);
  return out;
}

std::string layoutOf(const plan::PlanFamily &family) {
  std::vector<std::string> lines = {
      meshText(plan::meshOf(family.stages.at(0)))};
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (const plan::Buffer &buffer : family.stages[stage].buffers)
      if (buffer.role == plan::Role::Param ||
          buffer.role == plan::Role::Master ||
          buffer.role == plan::Role::OptState)
        lines.push_back(
            (family.stages.size() > 1 ? std::to_string(stage) + " " : "") +
            layoutLine(buffer));
  std::sort(lines.begin() + 1, lines.end());
  Hash hash;
  for (const std::string &line : lines)
    hash.add(line);
  char text[32];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(hash.value));
  return text;
}

Region regionOf(const std::vector<plan::DimSlice> &place) {
  Region out;
  for (const plan::DimSlice &dim : place) {
    out.start.push_back(dim.start);
    out.shape.push_back(dim.valid);
  }
  return out;
}

} // namespace nxdt::runtime
