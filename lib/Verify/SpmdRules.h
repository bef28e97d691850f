//===- SpmdRules.h - how operators pass on what is known --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written for this check: the compiler's rules of how ops may be split are not
// used, and cannot be (they know global shapes, a plan has local ones).
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_LIB_VERIFY_SPMDRULES_H
#define NXDT_LIB_VERIFY_SPMDRULES_H

#include "Layout.h"

#include <functional>
#include <span>
#include <string_view>
#include <unordered_map>

namespace nxdt::spmd {

/// One instruction, and what is known of its operands.
class Call {
public:
  Call(const Atoms &atoms, const plan::Program &program,
       const plan::Instruction &instruction, const std::vector<Lie> &lies,
       std::function<void(const std::string &)> fail)
      : atoms(atoms), program(program), instruction(instruction), lies(lies),
        failFn(std::move(fail)) {}

  /// Whether argument `i` exists and is a tensor.
  bool hasTensor(size_t i) const;
  /// Value number of argument `i`, a tensor.
  int32_t value(size_t i) const;
  const Lie &lie(size_t i) const { return lies[value(i)]; }
  const std::vector<int64_t> &shape(size_t i) const {
    return program.values[value(i)].shape;
  }
  /// Argument `i`, a list of tensors; -1 for absent ones.
  std::vector<int32_t> placesOf(size_t i) const;
  /// The same, absent ones left out.
  std::vector<int32_t> list(size_t i) const;
  const Lie &lieOf(int32_t value) const { return lies[value]; }
  /// All tensors among the arguments, lists flattened.
  std::vector<int32_t> operands() const;
  std::optional<int64_t> integer(size_t i) const;
  /// An integer counts as a number.
  std::optional<double> number(size_t i) const;
  std::optional<std::vector<int64_t>> integers(size_t i) const;
  bool flag(size_t i) const;
  /// Whether argument `i` names a way to round.
  bool rounds(size_t i) const;
  plan::DType dtypeOf(int32_t value) const {
    return program.values[value].dtype;
  }
  /// Local shape of a result; of what is mutated if the operator does that.
  /// Null if nobody uses it.
  const std::vector<int64_t> *resultShape(size_t i = 0) const;
  size_t results() const { return instruction.outs.size(); }
  plan::DType resultDtype() const;
  const std::string &op() const { return instruction.op; }

  /// Refuses: ends in a UserError that names the instruction.
  [[noreturn]] void fail(const std::string &message) const;
  /// "operand 1 (split over [tp] in dimension 0)".
  std::string shown(int32_t value) const;

  const Atoms &atoms;

private:
  const plan::Program &program;
  const plan::Instruction &instruction;
  const std::vector<Lie> &lies;
  std::function<void(const std::string &)> failFn;
};

/// What is known of the results.
using Rule = std::function<std::vector<Lie>(const Call &)>;
using RuleTable = std::unordered_map<std::string_view, Rule>;

/// One table for each file of rules.
void addPointwiseRules(RuleTable &table);
void addShapeRules(RuleTable &table);
void addReductionRules(RuleTable &table);
void addProductRules(RuleTable &table);
void addIndexRules(RuleTable &table);
void addDimRules(RuleTable &table);
void addLabelRules(RuleTable &table);

/// The results of any operator: by its rule, or what holds without one.
std::vector<Lie> inferCall(const Call &call);
/// What holds without a rule: what differs in the operands differs in the
/// results.
std::vector<Lie> inferUnknown(const Call &call, size_t results);

/// The name of the operator that computes what `op` stores into its first
/// argument ("aten::add_.Tensor": "aten::add.Tensor"); empty if it is no such.
std::string pureName(std::string_view op);

//===----------------------------------------------------------------------===//
// Parts of rules
//===----------------------------------------------------------------------===//

enum class Linear {
  None,  ///< in no operand
  Each,  ///< in one operand, the others as they are
  Joint, ///< in all together, or in those that are listed
};

/// Where padding of the operands makes padding of the result that is zero.
enum class ZeroIf {
  Never,
  First, ///< zero in the first operand
  Any,   ///< zero in one of them
  All,   ///< zero in all
};

/// Elementwise, with broadcasting. `linearIn`: operand numbers.
Lie pointwise(const Call &call, std::span<const int32_t> operands,
              Linear linear, std::span<const size_t> linearIn = {},
              ZeroIf zeroIf = ZeroIf::Never);
/// Refuses a sum over dims whose padding is not zero.
void checkZeroPadding(const Call &call, int32_t value, const Dim &dim);
/// Refuses terms among the operands that the operator is not linear in;
/// returns the atoms over which the result is one.
AtomSet linearSum(const Call &call, std::span<const int32_t> operands,
                  Linear linear, std::span<const size_t> linearIn = {});
/// Dims with the same place in several operands; refuses others.
Dim unifyAll(const Call &call, std::span<const Dim> dims,
             const std::string &what);
/// Refuses a result in which one atom splits two dimensions, or is a sum too.
void checkDisjoint(const Call &call, const Lie &lie);
/// A value that other ranks may not have: `atoms` are forgotten.
Lie opaque(const Call &call, size_t result, AtomSet atoms);
/// A product one side of which is a vector.
std::vector<Lie> vectorProduct(const Call &call, bool swapped);
/// `dim` from the end or the beginning.
size_t wrapped(int64_t dim, size_t rank);
/// Local sizes `shape` out of the dims' runs.
std::optional<std::vector<Dim>> regroup(const std::vector<Dim> &dims,
                                        const std::vector<int64_t> &shape,
                                        const Atoms &atoms);

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// Facts about indices and masks that come from the ranks' coordinates.
struct IndexFact {
  enum Kind {
    Table,    ///< the elements for each coordinate along `over`
    Shifted,  ///< indices minus `start`
    Below,    ///< where these are < 0
    Above,    ///< where they are >= size
    Outside,  ///< either
    Inside,   ///< the indices, 0 where outside
    LookedUp, ///< rows at Inside indices: wrong where outside
    Masked,   ///< zero where outside
  } kind = Table;
  AtomList over;
  std::vector<std::vector<int64_t>> table;
  /// Same for all facts about one shifting.
  int64_t id = -1;
  std::shared_ptr<const IndexFact> start;
  int64_t size = 0;
};
using FactPtr = std::shared_ptr<const IndexFact>;

/// The fact about a result, if its operands' tell one.
FactPtr factOf(const Call &call);
/// A coordinate buffer's.
FactPtr coordinateFact(const AtomList &over, const Atoms &atoms);
/// The size of the whole that a mask of padding is for: what it leaves.
int64_t wholeOf(const IndexFact &fact);
/// Whether the elements are 1 exactly in the padding of a dimension.
bool isPaddingMask(const IndexFact &fact, const Run &run, const Atoms &atoms);
/// Whether the element is where this rank's part of a dimension begins.
bool isStart(const IndexFact &fact, const Run &run, const Atoms &atoms);

} // namespace nxdt::spmd

#endif // NXDT_LIB_VERIFY_SPMDRULES_H
