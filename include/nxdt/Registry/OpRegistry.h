//===- OpRegistry.h - what passes know of libtorch's operators --*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One entry per `namespace::op.overload`: result types, gradient, how it may be
// split over the mesh, cost. The one place to touch when an operator is added
// (docs/AddAnOp.md). An operator without an entry still works: its types come
// from capture, its gradient from libtorch's autograd at run time.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_REGISTRY_OPREGISTRY_H
#define NXDT_REGISTRY_OPREGISTRY_H

#include "nxdt/Registry/ShardingRule.h"

#include "mlir/IR/Builders.h"

#include <functional>
#include <variant>

namespace nxdt {

/// A call's arguments by their position in the schema.
class CallArgs {
public:
  CallArgs(mlir::ArrayAttr args, mlir::ValueRange operands);

  size_t size() const { return args.size(); }
  mlir::Attribute attr(unsigned position) const { return args[position]; }
  /// Position exists and is not `none`.
  bool has(unsigned position) const;
  /// The tensor at a position; null if it is `none`.
  mlir::Value tensor(unsigned position) const;
  mlir::RankedTensorType type(unsigned position) const;
  /// The tensors of a list at a position; null for `none` elements.
  llvm::SmallVector<mlir::Value> tensors(unsigned position) const;
  /// Operand number of the tensor at a position (of the first of a list).
  int64_t operandIndex(unsigned position) const { return first[position]; }

  std::optional<int64_t> integer(unsigned position) const;
  /// Integers and bools count as numbers.
  std::optional<double> number(unsigned position) const;
  std::optional<bool> boolean(unsigned position) const;
  std::optional<llvm::StringRef> string(unsigned position) const;
  std::optional<llvm::ArrayRef<int64_t>> integers(unsigned position) const;
  mlir::Type dtype(unsigned position) const;

private:
  mlir::ArrayAttr args;
  mlir::ValueRange operands;
  llvm::SmallVector<int64_t> first;
};

using ResultTypes = llvm::SmallVector<mlir::RankedTensorType, 1>;

/// One argument of a call that a formula builds.
struct Arg {
  struct None {};
  std::variant<None, mlir::Value, llvm::SmallVector<mlir::Value>,
               mlir::Attribute, mlir::Type, int64_t, double, bool,
               llvm::SmallVector<int64_t>>
      value;
  Arg(None) : value(None{}) {}
  Arg(mlir::Value v) : value(v) {}
  Arg(llvm::SmallVector<mlir::Value> v) : value(std::move(v)) {}
  Arg(mlir::Attribute a) : value(a) {}
  Arg(mlir::Type t) : value(t) {}
  Arg(int64_t i) : value(i) {}
  Arg(int i) : value(static_cast<int64_t>(i)) {}
  Arg(double d) : value(d) {}
  Arg(bool b) : value(b) {}
  Arg(llvm::ArrayRef<int64_t> list)
      : value(llvm::SmallVector<int64_t>(list.begin(), list.end())) {}
  Arg(const llvm::SmallVector<int64_t> &list) : value(list) {}
};
constexpr Arg::None kNone{};

/// Builds `nxdt.aten` ops whose result types the registry infers.
class AtenBuilder {
public:
  AtenBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  /// Builds a call with one result. The operator must have an `infer`, and
  /// the call must be legal: formulas are ours, so both are asserted.
  mlir::Value call(llvm::StringRef callee, llvm::ArrayRef<Arg> args);
  mlir::Value call(llvm::StringRef callee, std::initializer_list<Arg> args) {
    return call(callee, llvm::ArrayRef<Arg>(args.begin(), args.size()));
  }
  /// Builds a call with these result types.
  AtenOp callMulti(llvm::StringRef callee, llvm::ArrayRef<Arg> args,
                   mlir::TypeRange resultTypes);

  // Short forms of what formulas use most.
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, double b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value neg(mlir::Value a);
  mlir::Value cast(mlir::Value a, mlir::Type elementType);
  mlir::Value view(mlir::Value a, llvm::ArrayRef<int64_t> shape);
  mlir::Value reshape(mlir::Value a, llvm::ArrayRef<int64_t> shape);
  mlir::Value transpose(mlir::Value a, int64_t dim0, int64_t dim1);
  mlir::Value sum(mlir::Value a, llvm::ArrayRef<int64_t> dims, bool keepDim);
  mlir::Value zeros(mlir::RankedTensorType type);
  /// Sums over broadcast dimensions and casts, so that the result has `type`.
  mlir::Value reduceTo(mlir::Value a, mlir::RankedTensorType type);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// What a gradient formula sees: the forward op, the gradients of its results
/// and the setters for those of its operands.
class VjpContext : public AtenBuilder {
public:
  VjpContext(mlir::OpBuilder &builder, AtenOp op, mlir::ValueRange gradOutputs,
             llvm::ArrayRef<bool> needed);

  AtenOp op;
  CallArgs args;

  mlir::Value in(unsigned position) const { return args.tensor(position); }
  mlir::RankedTensorType type(unsigned position) const {
    return args.type(position);
  }
  mlir::Value out(unsigned result = 0) const { return op->getResult(result); }
  /// Gradient of a result; null if nothing depends on it.
  mlir::Value grad(unsigned result = 0) const { return gradOutputs[result]; }
  /// Whether the tensor at a schema position needs a gradient.
  bool needs(unsigned position) const;
  /// Whether an operand, by number, needs one.
  bool needsOperand(unsigned operand) const { return needed[operand]; }
  /// Sets the gradient of the tensor at a position; broadcasts are summed and
  /// the type is cast here, once for all formulas.
  void set(unsigned position, mlir::Value gradient);
  void setOperand(unsigned operand, mlir::Value gradient);

  llvm::ArrayRef<mlir::Value> gradients() const { return gradInputs; }

private:
  llvm::SmallVector<mlir::Value> gradOutputs;
  llvm::SmallVector<bool> needed;
  llvm::SmallVector<mlir::Value> gradInputs;
};

/// How memory behaves at run time, for predictions.
enum class Aliasing {
  Fresh,     ///< results own their memory
  View,      ///< every result aliases operand 0
  MaybeView, ///< aliases operand 0 if that is contiguous (reshape)
};

/// How a call may be split.
using RuleOf = std::function<ShardingRule(AtenOp, const CallArgs &)>;
/// Puts local sizes in the place of global ones among a call's arguments.
using LocalArgs = std::function<void(
    AtenOp, llvm::ArrayRef<mlir::RankedTensorType> localResults,
    llvm::MutableArrayRef<mlir::Attribute> args)>;

struct OpInfo {
  std::string callee;
  /// Result types from a call; failure if the call is not legal.
  std::function<llvm::FailureOr<ResultTypes>(const CallArgs &)> infer;
  /// Emits the gradients; absent = libtorch's autograd at run time.
  std::function<void(VjpContext &)> vjp;
  /// Absent = every dimension is whole on every rank.
  RuleOf sharding;
  /// Absent = no argument depends on the size of a dimension that is split.
  LocalArgs localArgs;
  /// Results never depend on operands differentiably (comparisons, factories,
  /// detach).
  bool noGradient = false;
  Aliasing aliasing = Aliasing::Fresh;
  /// A result that shares operand 0's memory has all its elements in the same
  /// order: dense if operand 0 is.
  bool keepsOrder = false;
  /// A cast that has nothing to do returns operand 0 itself (to.dtype).
  bool returnsSelfIfSameType = false;
  /// Floating-point operations of a call; absent = one per result element.
  std::function<double(const CallArgs &, mlir::TypeRange)> flops;
};

/// All entries, by callee; built once.
class OpRegistry {
public:
  static const OpRegistry &get();
  /// Null if nobody registered the operator.
  const OpInfo *lookup(llvm::StringRef callee) const;
  std::vector<llvm::StringRef> callees() const;

  /// For the files of lib/OpRegistry.
  OpInfo &add(llvm::StringRef callee);

private:
  llvm::StringMap<OpInfo> entries;
};

/// Element type of libtorch's type promotion of two tensors (0-dim tensors are
/// weaker within a category).
mlir::Type promote(mlir::RankedTensorType a, mlir::RankedTensorType b);
/// The broadcast shape; failure if the shapes do not broadcast.
llvm::FailureOr<llvm::SmallVector<int64_t>>
broadcast(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

} // namespace nxdt

#endif // NXDT_REGISTRY_OPREGISTRY_H
