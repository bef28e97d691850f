//===- Mesh.cpp - ranks on named axes, and groups of them -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/Mesh.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <cctype>

namespace nxdt::plan {

int64_t Mesh::size() const {
  int64_t product = 1;
  for (const MeshAxis &axis : axes)
    product *= axis.size;
  return product;
}

std::vector<int64_t> Mesh::coordinates(int64_t rank) const {
  std::vector<int64_t> result(axes.size());
  for (size_t i = axes.size(); i-- > 0;) {
    result[i] = rank % axes[i].size;
    rank /= axes[i].size;
  }
  return result;
}

int64_t Mesh::rankOf(const std::vector<int64_t> &coordinates) const {
  int64_t rank = 0;
  for (size_t i = 0; i < axes.size(); ++i)
    rank = rank * axes[i].size + coordinates[i];
  return rank;
}

Mesh Mesh::nxd(int64_t pp, int64_t dp, int64_t cp, int64_t tp) {
  return {{{"pp", pp}, {"dp", dp}, {"cp", cp}, {"tp", tp}}};
}

static int64_t parseNumber(const std::string &text, const std::string &digits) {
  if (digits.empty() || digits.size() > 9)
    throw UserError("group '" + text + "': '" + digits +
                    "' is not a number; a part of an axis is written "
                    "axis:(before)size, for example tp:(2)4");
  for (char c : digits)
    if (!std::isdigit(static_cast<unsigned char>(c)))
      throw UserError("group '" + text + "': '" + digits +
                      "' is not a number; a part of an axis is written "
                      "axis:(before)size, for example tp:(2)4");
  return std::stoll(digits);
}

static AxisRef parseAxisRef(const std::string &text, const std::string &item) {
  size_t colon = item.find(':');
  AxisRef ref{item.substr(0, colon), 1, 0};
  if (ref.axis.empty())
    throw UserError("group '" + text + "': an axis without a name");
  if (colon == std::string::npos)
    return ref;
  size_t close = item.find(')', colon);
  if (colon + 1 >= item.size() || item[colon + 1] != '(' ||
      close == std::string::npos)
    throw UserError("group '" + text + "': '" + item +
                    "' is not axis:(before)size, for example tp:(2)4");
  ref.before = parseNumber(text, item.substr(colon + 2, close - colon - 2));
  ref.size = parseNumber(text, item.substr(close + 1));
  if (ref.before < 1 || ref.size < 1)
    throw UserError("group '" + text + "': parts of '" + ref.axis +
                    "' must be at least 1");
  return ref;
}

GroupSpec parseGroupSpec(const std::string &text) {
  GroupSpec spec;
  size_t begin = 0;
  while (true) {
    size_t comma = text.find(',', begin);
    std::string item = text.substr(begin, comma - begin);
    spec.axes.push_back(parseAxisRef(text, item));
    if (comma == std::string::npos)
      return spec;
    begin = comma + 1;
  }
}

static const MeshAxis *findAxis(const Mesh &mesh, const std::string &name) {
  for (const MeshAxis &axis : mesh.axes)
    if (axis.name == name)
      return &axis;
  return nullptr;
}

static std::string rawName(const GroupSpec &spec) {
  std::string name;
  for (const AxisRef &ref : spec.axes) {
    name += name.empty() ? "" : ",";
    name += ref.axis;
    if (ref.size != 0)
      name +=
          ":(" + std::to_string(ref.before) + ")" + std::to_string(ref.size);
  }
  return name;
}

std::string groupName(const Mesh &mesh, const GroupSpec &spec) {
  GroupSpec canonical = spec;
  for (AxisRef &ref : canonical.axes) {
    const MeshAxis *axis = findAxis(mesh, ref.axis);
    if (axis && ref.before == 1 && ref.size == axis->size)
      ref.size = 0;
  }
  return rawName(canonical);
}

void checkGroupSpec(const Mesh &mesh, const GroupSpec &spec) {
  std::string name = rawName(spec);
  if (spec.axes.empty())
    throw UserError("a group needs at least one mesh axis");
  for (size_t i = 0; i < spec.axes.size(); ++i) {
    const AxisRef &ref = spec.axes[i];
    const MeshAxis *axis = findAxis(mesh, ref.axis);
    if (!axis) {
      std::string known;
      for (const MeshAxis &a : mesh.axes)
        known += (known.empty() ? "" : ", ") + a.name;
      throw UserError("group '" + name + "': the mesh has no axis '" +
                      ref.axis + "'; its axes are " + known);
    }
    int64_t size = ref.size ? ref.size : axis->size;
    if (ref.before < 1 || size < 1 || axis->size % ref.before != 0 ||
        (axis->size / ref.before) % size != 0) {
      std::string legal;
      for (int64_t n = 1; n <= axis->size / std::max<int64_t>(ref.before, 1);
           ++n)
        if (ref.before >= 1 && axis->size % (ref.before * n) == 0)
          legal += (legal.empty() ? "" : ", ") + std::to_string(n);
      throw UserError("group '" + name + "': " + std::to_string(ref.before) +
                      " x " + std::to_string(size) + " does not divide axis '" +
                      ref.axis + "' of size " + std::to_string(axis->size) +
                      (legal.empty()
                           ? "; the first part must be a divisor of the axis"
                           : "; after a first " + std::to_string(ref.before) +
                                 " the size may be " + legal));
    }
    for (size_t j = 0; j < i; ++j) {
      const AxisRef &other = spec.axes[j];
      if (other.axis != ref.axis)
        continue;
      int64_t otherSize = other.size ? other.size : axis->size;
      bool disjoint = other.before * otherSize <= ref.before ||
                      ref.before * size <= other.before;
      if (!disjoint)
        throw UserError("group '" + name + "': axis '" + ref.axis +
                        "' occurs twice with overlapping parts");
    }
  }
}

namespace {
/// One axis of a group: its members' coordinates are stride apart.
struct Digit {
  size_t axis;
  int64_t size, stride;
};
} // namespace

static std::vector<Digit> digitsOf(const Mesh &mesh, const GroupSpec &spec) {
  std::vector<Digit> digits;
  for (const AxisRef &ref : spec.axes)
    for (size_t a = 0; a < mesh.axes.size(); ++a) {
      if (mesh.axes[a].name != ref.axis)
        continue;
      int64_t size = ref.size ? ref.size : mesh.axes[a].size;
      digits.push_back({a, size, mesh.axes[a].size / (ref.before * size)});
    }
  return digits;
}

int64_t groupSize(const Mesh &mesh, const GroupSpec &spec) {
  int64_t count = 1;
  for (const Digit &digit : digitsOf(mesh, spec))
    count *= digit.size;
  return count;
}

int64_t groupIndex(const Mesh &mesh, const GroupSpec &spec, int64_t rank) {
  std::vector<int64_t> coordinates = mesh.coordinates(rank);
  int64_t index = 0;
  for (const Digit &digit : digitsOf(mesh, spec))
    index = index * digit.size +
            (coordinates[digit.axis] / digit.stride) % digit.size;
  return index;
}

std::vector<int64_t> groupRanks(const Mesh &mesh, const GroupSpec &spec,
                                int64_t rank) {
  checkGroupSpec(mesh, spec);
  std::vector<int64_t> base = mesh.coordinates(rank);
  std::vector<Digit> digits = digitsOf(mesh, spec);
  for (const Digit &digit : digits)
    base[digit.axis] -=
        (base[digit.axis] / digit.stride) % digit.size * digit.stride;
  int64_t count = groupSize(mesh, spec);
  std::vector<int64_t> ranks;
  ranks.reserve(count);
  for (int64_t index = 0; index < count; ++index) {
    std::vector<int64_t> coordinates = base;
    int64_t rest = index;
    for (size_t d = digits.size(); d-- > 0;) {
      coordinates[digits[d].axis] += (rest % digits[d].size) * digits[d].stride;
      rest /= digits[d].size;
    }
    ranks.push_back(mesh.rankOf(coordinates));
  }
  return ranks;
}

GroupSpec toGroupSpec(const Axes &axes) {
  GroupSpec spec;
  for (const std::string &axis : axes) {
    GroupSpec one = parseGroupSpec(axis);
    if (one.axes.size() != 1)
      throw UserError("'" + axis + "' is not one mesh axis");
    spec.axes.push_back(one.axes[0]);
  }
  return spec;
}

Mesh meshOf(const Plan &plan) {
  Mesh mesh;
  for (const auto &[name, size] : plan.mesh)
    mesh.axes.push_back({name, size});
  return mesh;
}

} // namespace nxdt::plan
