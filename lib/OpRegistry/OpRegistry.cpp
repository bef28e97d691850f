//===- OpRegistry.cpp - the table and what its entries share --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

const OpRegistry &OpRegistry::get() {
  static const OpRegistry registry = [] {
    OpRegistry r;
    registerPointwise(r);
    registerViews(r);
    registerReductions(r);
    registerMatMul(r);
    registerFactories(r);
    registerIndexing(r);
    registerLossAndAttention(r);
    return r;
  }();
  return registry;
}

const OpInfo *OpRegistry::lookup(StringRef callee) const {
  auto it = entries.find(callee);
  return it == entries.end() ? nullptr : &it->second;
}

std::vector<StringRef> OpRegistry::callees() const {
  std::vector<StringRef> names;
  for (auto &entry : entries)
    names.push_back(entry.first());
  llvm::sort(names);
  return names;
}

OpInfo &OpRegistry::add(StringRef callee) {
  auto [it, inserted] = entries.try_emplace(callee);
  assert(inserted && "an operator is registered once");
  it->second.callee = callee.str();
  return it->second;
}

/// bool < integers < floats, as libtorch orders categories.
static int category(Type type) {
  if (isa<FloatType>(type))
    return 2;
  return type.isInteger(1) ? 0 : 1;
}

/// The wider of two element types; bf16 with f16 widens to f32.
static Type promoteTypes(Type a, Type b) {
  if (a == b)
    return a;
  if (category(a) != category(b))
    return category(a) > category(b) ? a : b;
  unsigned wa = a.getIntOrFloatBitWidth(), wb = b.getIntOrFloatBitWidth();
  if (wa == wb)
    return Float32Type::get(a.getContext());
  return wa > wb ? a : b;
}

Type nxdt::promote(RankedTensorType a, RankedTensorType b) {
  Type ea = a.getElementType(), eb = b.getElementType();
  bool weakA = a.getRank() == 0 && b.getRank() != 0;
  bool weakB = b.getRank() == 0 && a.getRank() != 0;
  if (weakA && category(ea) <= category(eb))
    return eb;
  if (weakB && category(eb) <= category(ea))
    return ea;
  return promoteTypes(ea, eb);
}

FailureOr<SmallVector<int64_t>> nxdt::broadcast(ArrayRef<int64_t> a,
                                                ArrayRef<int64_t> b) {
  SmallVector<int64_t> shape(std::max(a.size(), b.size()));
  for (size_t i = 0; i < shape.size(); ++i) {
    int64_t da = i < a.size() ? a[a.size() - 1 - i] : 1;
    int64_t db = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (da != db && da != 1 && db != 1)
      return failure();
    shape[shape.size() - 1 - i] = da == 1 ? db : da;
  }
  return shape;
}

std::optional<int64_t> nxdt::wrapDim(std::optional<int64_t> dim, int64_t rank) {
  if (!dim)
    return std::nullopt;
  int64_t bound = std::max<int64_t>(rank, 1);
  int64_t wrapped = *dim < 0 ? *dim + bound : *dim;
  if (wrapped < 0 || wrapped >= bound)
    return std::nullopt;
  return wrapped;
}

std::optional<SmallVector<int64_t>>
nxdt::wrapDims(std::optional<ArrayRef<int64_t>> dims, int64_t rank) {
  SmallVector<int64_t> result;
  if (!dims || dims->empty()) {
    for (int64_t d = 0; d < rank; ++d)
      result.push_back(d);
    return result;
  }
  for (int64_t dim : *dims) {
    std::optional<int64_t> wrapped = wrapDim(dim, rank);
    if (!wrapped)
      return std::nullopt;
    result.push_back(*wrapped);
  }
  llvm::sort(result);
  return result;
}
