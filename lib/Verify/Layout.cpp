//===- Layout.cpp - how a rank's part lies in the whole -------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Layout.h"

#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <set>

namespace nxdt::spmd {

AtomSet setOf(const AtomList &list) {
  AtomSet set = 0;
  for (int atom : list)
    set |= AtomSet(1) << atom;
  return set;
}

//===----------------------------------------------------------------------===//
// Atoms
//===----------------------------------------------------------------------===//

Atoms::Atoms(const plan::Plan &plan) : mesh(plan::meshOf(plan)) {
  // Where each axis is cut: products of its major part sizes.
  std::vector<std::set<int64_t>> cuts(mesh.axes.size());
  for (size_t axis = 0; axis < cuts.size(); ++axis)
    cuts[axis] = {1, mesh.axes[axis].size};
  auto read = [&](const plan::Axes &axes) {
    for (const plan::AxisRef &ref : plan::toGroupSpec(axes).axes)
      for (size_t axis = 0; axis < cuts.size(); ++axis)
        if (mesh.axes[axis].name == ref.axis && ref.size) {
          cuts[axis].insert(ref.before);
          cuts[axis].insert(ref.before * ref.size);
        }
  };
  for (const plan::Buffer &buffer : plan.buffers) {
    for (const plan::Axes &axes : buffer.split)
      read(axes);
    read(buffer.partial);
    read(buffer.coordinate);
  }
  for (const plan::Program &program : plan.programs)
    for (const plan::Instruction &instruction : program.instructions)
      read(instruction.axes);
  for (size_t axis = 0; axis < cuts.size(); ++axis) {
    for (auto it = cuts[axis].begin(); std::next(it) != cuts[axis].end();
         ++it) {
      if (*std::next(it) % *it)
        throw UserError("the parts of axis " + mesh.axes[axis].name +
                        " overlap without nesting");
      atoms.push_back({int(axis), *it, *std::next(it) / *it});
    }
  }
  if (atoms.size() > 64)
    throw UserError("the mesh has more than 64 parts of axes");
}

AtomList Atoms::list(const plan::Axes &axes) const {
  AtomList result;
  for (const plan::AxisRef &ref : plan::toGroupSpec(axes).axes)
    for (int atom = 0; atom < count(); ++atom) {
      const plan::MeshAxis &axis = mesh.axes[atoms[atom].axis];
      int64_t size = ref.size ? ref.size : axis.size;
      if (axis.name == ref.axis && atoms[atom].before >= ref.before &&
          atoms[atom].before * atoms[atom].size <= ref.before * size)
        result.push_back(atom);
    }
  return result;
}

int64_t Atoms::size(const AtomList &list) const {
  int64_t product = 1;
  for (int atom : list)
    product *= atoms[atom].size;
  return product;
}

std::vector<int64_t> Atoms::sizes(const AtomList &list) const {
  std::vector<int64_t> result;
  for (size_t i = 0; i < list.size(); ++i) {
    bool continues = i && list[i] == list[i - 1] + 1 &&
                     atoms[list[i]].axis == atoms[list[i - 1]].axis;
    if (continues)
      result.back() *= atoms[list[i]].size;
    else
      result.push_back(atoms[list[i]].size);
  }
  return result;
}

std::string Atoms::text(AtomSet set) const {
  std::string out;
  for (int atom = 0; atom < count(); ++atom) {
    if (!(set >> atom & 1))
      continue;
    const Atom &first = atoms[atom];
    int64_t size = first.size;
    while (atom + 1 < count() && (set >> (atom + 1) & 1) &&
           atoms[atom + 1].axis == first.axis)
      size *= atoms[++atom].size;
    const plan::MeshAxis &axis = mesh.axes[first.axis];
    out += (out.empty() ? "" : ", ") + axis.name;
    if (size != axis.size)
      out += ":(" + std::to_string(first.before) + ")" + std::to_string(size);
  }
  return "[" + out + "]";
}

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

int64_t Dim::local() const {
  int64_t product = 1;
  for (const Run &run : runs)
    product *= run.local;
  return product;
}

AtomSet Dim::atoms() const {
  AtomSet set = 0;
  for (const Run &run : runs)
    set |= setOf(run.atoms);
  return set;
}

bool Dim::uniform() const {
  return std::all_of(runs.begin(), runs.end(),
                     [](const Run &run) { return run.uniform; });
}

Dim Dim::of(int64_t size) {
  return size == 1 ? Dim{} : Dim{{{size, size, {}, false, Padding::Zero}}};
}

Dim Dim::constant(int64_t size) {
  return size == 1 ? Dim{} : Dim{{{0, size, {}, true, Padding::Zero}}};
}

int64_t partSize(int64_t size, const AtomList &list, const Atoms &atoms) {
  for (int64_t parts : atoms.sizes(list))
    size = (size + parts - 1) / parts;
  return size;
}

bool isPadded(const Run &run, const Atoms &atoms) {
  return !run.uniform && run.whole != run.local * atoms.size(run.atoms);
}

Padding paddingOf(const Dim &dim, const Atoms &atoms) {
  for (const Run &run : dim.runs)
    if (isPadded(run, atoms))
      return run.padding;
  return Padding::Zero;
}

Padding fillOf(const Dim &dim, const Atoms &atoms) {
  for (const Run &run : dim.runs)
    if (run.filled || isPadded(run, atoms))
      return run.padding;
  return Padding::Zero;
}

void setPadding(Dim &dim, Padding padding) {
  for (Run &run : dim.runs)
    run.padding = padding;
}

Dim normalized(const Dim &dim, const Atoms &atoms) {
  Dim result;
  for (const Run &run : dim.runs) {
    if (run.local == 1 && run.atoms.empty())
      continue;
    Run *last = result.runs.empty() ? nullptr : &result.runs.back();
    if (last && last->uniform && run.uniform) {
      last->local *= run.local;
      continue;
    }
    // Rows of a split dimension stay together: [tp 2, 8] is 16 over tp.
    bool joins = last && !last->uniform && !isPadded(*last, atoms) &&
                 !run.uniform && run.atoms.empty() && last->whole &&
                 run.whole == run.local;
    // Parts of one index each: the next run's parts are parts of them.
    if (last && last->local == 1 && !run.uniform && !run.atoms.empty() &&
        last->whole == atoms.size(last->atoms) && run.whole) {
      last->filled = 0;
      last->whole *= run.whole;
      last->local = run.local;
      last->padding = run.padding;
      last->atoms.insert(last->atoms.end(), run.atoms.begin(), run.atoms.end());
      continue;
    }
    if (joins) {
      last->filled = 0;
      last->whole *= run.local;
      last->local *= run.local;
      continue;
    }
    result.runs.push_back(run);
  }
  return result;
}

std::optional<std::pair<Run, Run>> cut(const Run &run, int64_t major,
                                       const Atoms &atoms) {
  if (major == 0 || run.local % major)
    return std::nullopt;
  int64_t minor = run.local / major;
  if (run.uniform)
    return std::pair(Run{0, major, {}, true, Padding::Zero},
                     Run{0, minor, {}, true, Padding::Zero});
  if (isPadded(run, atoms) && !run.atoms.empty())
    return std::nullopt;
  return std::pair(Run{major * atoms.size(run.atoms), major, run.atoms, false,
                       Padding::Zero},
                   Run{minor, minor, {}, false, Padding::Zero});
}

static bool isSame(const Run &a, const Run &b) {
  if (a.local != b.local || a.atoms != b.atoms)
    return false;
  // What nobody splits is as long as it is.
  return a.atoms.empty() || a.whole == b.whole || !a.whole || !b.whole;
}

std::optional<Dim> unify(const Dim &a, const Dim &b, const Atoms &atoms) {
  std::vector<Run> restA(a.runs.rbegin(), a.runs.rend());
  std::vector<Run> restB(b.runs.rbegin(), b.runs.rend());
  Dim result;
  while (!restA.empty() && !restB.empty()) {
    Run x = restA.back(), y = restB.back();
    restA.pop_back();
    restB.pop_back();
    if (x.local != y.local) {
      bool cutX = x.local > y.local;
      // A run of 1 has nothing that corresponds to it on the other side.
      auto parts = cut(cutX ? x : y, cutX ? y.local : x.local, atoms);
      if (!parts)
        return std::nullopt;
      (cutX ? restA : restB).push_back(parts->second);
      (cutX ? x : y) = parts->first;
    }
    if (x.uniform)
      result.runs.push_back(y);
    else if (y.uniform)
      result.runs.push_back(x);
    else if (isSame(x, y)) {
      result.runs.push_back(x.whole ? x : y);
      if (x.padding != y.padding)
        result.runs.back().padding = Padding::Unknown;
      if (x.filled != y.filled)
        result.runs.back().filled = 0;
    } else
      return std::nullopt;
  }
  for (const std::vector<Run> *rest : {&restA, &restB})
    for (const Run &run : *rest)
      if (run.local != 1 || !run.atoms.empty())
        return std::nullopt;
  return normalized(result, atoms);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

AtomSet Lie::split() const {
  AtomSet set = 0;
  for (const Dim &dim : dims)
    set |= dim.atoms();
  return set;
}

void Lie::forget(AtomSet forgotten, const Atoms &atoms) {
  unknown |= forgotten;
  for (Dim &dim : dims) {
    for (Run &run : dim.runs)
      if (setOf(run.atoms) & forgotten) {
        std::erase_if(run.atoms,
                      [&](int atom) { return forgotten >> atom & 1; });
        // The size of the whole went with it.
        run.whole = run.atoms.empty() ? run.local : 0;
      }
    dim = normalized(dim, atoms);
  }
}

Lie Lie::whole(const std::vector<int64_t> &shape) {
  Lie lie;
  for (int64_t size : shape)
    lie.dims.push_back(Dim::of(size));
  return lie;
}

std::string text(const Lie &lie, const Atoms &atoms) {
  std::string out;
  auto add = [&](const std::string &part) {
    out += (out.empty() ? "" : ", ") + part;
  };
  for (size_t dim = 0; dim < lie.dims.size(); ++dim)
    for (const Run &run : lie.dims[dim].runs)
      if (!run.atoms.empty())
        add("split over " + atoms.text(setOf(run.atoms)) + " in dimension " +
            std::to_string(dim));
  if (lie.sum)
    add("a term of a sum over " + atoms.text(lie.sum));
  if (lie.max)
    add("a candidate of a maximum over " + atoms.text(lie.max));
  if (lie.root)
    add("the norm of a part over " + atoms.text(lie.root));
  if (lie.unknown)
    add("different over " + atoms.text(lie.unknown));
  return out.empty() ? "whole on every rank" : out;
}

std::string text(const Dim &dim, const Atoms &atoms) {
  std::string out;
  for (const Run &run : dim.runs) {
    out += (out.empty() ? "" : " x ") + std::to_string(run.local);
    if (!run.atoms.empty())
      out += " of " + (run.whole ? std::to_string(run.whole) : "more") +
             " over " + atoms.text(setOf(run.atoms));
  }
  return out.empty() ? "1" : out;
}

} // namespace nxdt::spmd
