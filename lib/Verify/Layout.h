//===- Layout.h - how a rank's part lies in the whole -----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_VERIFY_LAYOUT_H
#define NXDT_LIB_VERIFY_LAYOUT_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::spmd {

/// A set of atoms, a bit each.
using AtomSet = uint64_t;
/// Atoms, major to minor.
using AtomList = std::vector<int>;

AtomSet setOf(const AtomList &list);

/// The mesh axes, cut wherever a plan names a part of one: no list of axes of
/// the plan contains a part of an atom.
class Atoms {
public:
  /// UserError if a plan's axes need more than 64.
  explicit Atoms(const plan::Plan &plan);

  AtomList list(const plan::Axes &axes) const;
  AtomSet set(const plan::Axes &axes) const { return setOf(list(axes)); }
  int64_t size(int atom) const { return atoms[atom].size; }
  int64_t size(const AtomList &list) const;
  /// The sizes of the axes, or parts of axes, that a list is made of.
  std::vector<int64_t> sizes(const AtomList &list) const;
  int count() const { return atoms.size(); }
  /// "[dp, tp:(2)4]".
  std::string text(AtomSet set) const;

private:
  struct Atom {
    int axis;
    int64_t before, size;
  };
  plan::Mesh mesh;
  std::vector<Atom> atoms;
};

/// What lies behind the end of a split dimension, in the last parts.
enum class Padding {
  Unknown,
  Zero,    ///< zeros, as in buffers: what a sum may read
  Lowest,  ///< minus infinity: what a maximum may read
  Ignored, ///< targets that count in no loss
};
/// The target of a token that is not to be learnt.
constexpr int64_t kIgnoredTarget = -100;

/// Neighbouring indices of a dimension that are split together. `local` is the
/// size that a rank holds; `whole` that of all ranks, without padding, 0 if it
/// is not known. A uniform run holds equal elements: it may be the part of any
/// whole.
struct Run {
  int64_t whole = 1, local = 1;
  AtomList atoms;
  bool uniform = false;
  Padding padding = Padding::Unknown;
  /// Where `padding` begins if nobody splits it: it was put there to cut the
  /// rest in parts of one size, or belongs to the model. 0: there is none.
  int64_t filled = 0;
};

/// A dimension: runs, major to minor. None for a size of 1 that is not split.
struct Dim {
  std::vector<Run> runs;

  int64_t local() const;
  AtomSet atoms() const;
  bool uniform() const;
  static Dim of(int64_t size);
  static Dim constant(int64_t size);
};

/// ceil(size / axis size), at each axis in turn. Neighbouring atoms of one axis
/// are that axis again: 5 rows over 4 are 2, 2, 1, 0, and not 2, 1, 2, 0.
int64_t partSize(int64_t size, const AtomList &list, const Atoms &atoms);
/// Whether some part is shorter than `local`, or may be.
bool isPadded(const Run &run, const Atoms &atoms);
/// The padding of a dimension; Zero if it has none.
Padding paddingOf(const Dim &dim, const Atoms &atoms);
/// The same, also of what is behind `filled`.
Padding fillOf(const Dim &dim, const Atoms &atoms);
void setPadding(Dim &dim, Padding padding);

/// Makes one run of what can be: equal dimensions get equal runs.
Dim normalized(const Dim &dim, const Atoms &atoms);
/// Cuts a run in a major part of local size `major` and the rest; nothing if
/// padding or sizes forbid it.
std::optional<std::pair<Run, Run>> cut(const Run &run, int64_t major,
                                       const Atoms &atoms);
/// What both are, if they lie the same; uniform runs take the other's form.
std::optional<Dim> unify(const Dim &a, const Dim &b, const Atoms &atoms);

/// The dims of a value. A plan is data from outside: what an operator's
/// arguments say may not fit its operands.
struct Dims : std::vector<Dim> {
  Dims() = default;
  Dims(std::vector<Dim> dims) : std::vector<Dim>(std::move(dims)) {}
  Dims(std::initializer_list<Dim> dims) : std::vector<Dim>(dims) {}
  Dim &operator[](size_t i) { return at(i); }
  const Dim &operator[](size_t i) const { return at(i); }
  Dim &back() { return at(size() - 1); }
  const Dim &back() const { return at(size() - 1); }
};

struct IndexFact;

/// What is known of a value.
struct Lie {
  Dims dims;
  AtomSet sum = 0;     ///< a term of a sum over these
  AtomSet max = 0;     ///< a candidate of a maximum over these
  AtomSet root = 0;    ///< its square is a term of a sum over these
  AtomSet unknown = 0; ///< differs between these ranks, nobody knows how
  bool zero = false;   ///< all zeros
  bool own = false;    ///< of this stage's parameters: other stages have others
  /// Atoms that split an index of which a rank has one, next to a dimension of
  /// one that was summed: a rank cannot tell [8] as [4, 2] from [8] as [8, 1].
  /// The minor of them may be those of a sum.
  AtomSet either = 0;
  /// What is known of indices and masks made from coordinates; may be null.
  std::shared_ptr<const IndexFact> fact;

  AtomSet split() const;
  /// All atoms over which ranks hold something else.
  AtomSet differs() const { return split() | sum | max | root | unknown; }
  /// Drops what dims say of `atoms`: they differ, and that is all.
  void forget(AtomSet forgotten, const Atoms &atoms);
  static Lie whole(const std::vector<int64_t> &shape);
};

/// "split over [dp] in dimension 0, a term of a sum over [tp]".
std::string text(const Lie &lie, const Atoms &atoms);
/// "16 of 64 over [tp]".
std::string text(const Dim &dim, const Atoms &atoms);

} // namespace nxdt::spmd

#endif // NXDT_LIB_VERIFY_LAYOUT_H
