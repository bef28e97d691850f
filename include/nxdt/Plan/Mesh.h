//===- Mesh.h - ranks on named axes, and groups of them -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_MESH_H
#define NXDT_PLAN_MESH_H

#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace nxdt::plan {

struct MeshAxis {
  std::string name;
  int64_t size = 1;
};

/// An axis, or the part of it of size `size` after a first part of size
/// `before`: an axis of size n is split, major to minor, into
/// before x size x n/(before*size). Written `tp`, or `tp:(2)4`.
struct AxisRef {
  std::string axis;
  int64_t before = 1;
  int64_t size = 0; ///< 0 = the whole axis
  bool operator==(const AxisRef &) const = default;
};

/// The axes whose coordinates vary inside a group. Their order is the order of
/// the ranks (first = slowest): {dp, tp} and {tp, dp} are different groups of
/// the same ranks.
struct GroupSpec {
  std::vector<AxisRef> axes;
  bool operator==(const GroupSpec &) const = default;
};

/// Rank order: row-major, the first axis is the slowest. NxD Training's order
/// is the axes {pp, dp, cp, tp}: rank = ((pp*DP + dp)*CP + cp)*TP + tp.
struct Mesh {
  std::vector<MeshAxis> axes;

  int64_t size() const;
  /// One coordinate per axis.
  std::vector<int64_t> coordinates(int64_t rank) const;
  int64_t rankOf(const std::vector<int64_t> &coordinates) const;
  /// The axes of NxD Training in its order.
  static Mesh nxd(int64_t pp, int64_t dp, int64_t cp, int64_t tp);
};

/// Reads "tp", "dp,tp", "tp:(2)4". Throws UserError with the text and what is
/// wrong with it.
GroupSpec parseGroupSpec(const std::string &text);
/// The inverse, with whole axes written without parts: the canonical name.
std::string groupName(const Mesh &mesh, const GroupSpec &spec);
/// Throws UserError: unknown axis, axis twice or overlapping parts, a part that
/// does not divide (with the legal values), no axis at all.
void checkGroupSpec(const Mesh &mesh, const GroupSpec &spec);
/// Members of a group. `spec` is one that checkGroupSpec accepts.
int64_t groupSize(const Mesh &mesh, const GroupSpec &spec);
/// Where `rank` is among the members of its group: row-major, 0 first.
int64_t groupIndex(const Mesh &mesh, const GroupSpec &spec, int64_t rank);
/// Global ranks of the group that `rank` is in, in the group's order.
std::vector<int64_t> groupRanks(const Mesh &mesh, const GroupSpec &spec,
                                int64_t rank);

/// {"dp", "tp:(2)4"} as a group. UserError as parseGroupSpec, and if an entry
/// is not exactly one axis. No axes give a group of none: one member.
GroupSpec toGroupSpec(const Axes &axes);
/// The mesh that a plan states.
Mesh meshOf(const Plan &plan);

} // namespace nxdt::plan

#endif // NXDT_PLAN_MESH_H
