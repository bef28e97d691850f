//===- SpmdPointwise.cpp - elementwise operators ===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SpmdRules.h"

#include <algorithm>
#include <limits>

namespace nxdt::spmd {

static Rule rule(Linear linear, std::vector<size_t> linearIn = {},
                 ZeroIf zeroIf = ZeroIf::Never) {
  return [=](const Call &call) -> std::vector<Lie> {
    return {pointwise(call, call.operands(), linear, linearIn, zeroIf)};
  };
}

/// x^2 of the norm of a part is that part's sum of squares.
static std::vector<Lie> power(const Call &call) {
  std::vector<int32_t> operands = call.operands();
  Lie base = call.lieOf(operands.at(0));
  if (base.root && call.number(1) == 2.0) {
    base.sum = base.root;
    base.root = 0;
    return {base};
  }
  return {pointwise(call, operands, Linear::None)};
}

/// Adding zero, or something to all terms.
static std::vector<Lie> addNumber(const Call &call) {
  bool isZero = call.number(1) == 0.0;
  const size_t first[] = {0};
  return {pointwise(call, call.operands(), isZero ? Linear::Each : Linear::None,
                    first)};
}

/// x != number: false for targets that are ignored.
static std::vector<Lie> differsFrom(const Call &call) {
  Lie result = pointwise(call, call.operands(), Linear::None);
  const Lie &x = call.lie(0);
  if (call.number(1) == double(kIgnoredTarget))
    for (size_t dim = 0; dim < x.dims.size(); ++dim)
      if (fillOf(x.dims[dim], call.atoms) == Padding::Ignored)
        setPadding(result.dims[dim], Padding::Zero);
  return {result};
}

static bool isOf(const FactPtr &fact, IndexFact::Kind kind) {
  return fact && fact->kind == kind;
}

/// The dimension of a mask's only run; nothing if it has several.
static std::optional<size_t> lineOf(const Lie &mask) {
  std::optional<size_t> found;
  for (size_t dim = 0; dim < mask.dims.size(); ++dim) {
    if (mask.dims[dim].local() == 1)
      continue;
    if (found)
      return std::nullopt;
    found = dim;
  }
  return found;
}

/// x[mask] = number. Masks made from coordinates are what makes ranks differ on
/// purpose: of the padding of a split dimension, and of indices that another
/// rank looks up.
static std::vector<Lie> maskedFill(const Call &call) {
  Lie x = call.lie(0);
  const Lie &mask = call.lie(1);
  bool fillsZero = call.number(2) == 0.0;
  const FactPtr &m = mask.fact;
  if (isOf(m, IndexFact::Outside) && x.fact && x.fact->id == m->id &&
      fillsZero) {
    // Each row was looked up by one rank, the others hold zeros.
    if (x.fact->kind == IndexFact::LookedUp) {
      AtomSet over = setOf(m->start->over);
      x.unknown &= ~over;
      x.sum |= over;
      x.fact = nullptr;
      return {x};
    }
    if (x.fact->kind == IndexFact::Shifted) {
      auto inside = std::make_shared<IndexFact>(*m);
      inside->kind = IndexFact::Inside;
      x.fact = inside;
      return {x};
    }
  }
  if (isOf(m, IndexFact::Table) && mask.unknown) {
    size_t extra = x.dims.size() - mask.dims.size();
    std::optional<size_t> line = lineOf(mask);
    for (size_t dim = 0; dim < x.dims.size(); ++dim) {
      if (line && dim != *line + extra)
        continue;
      std::vector<Run> &runs = x.dims[dim].runs;
      // Constants become parts of what the mask is for.
      if (runs.size() == 1 && runs[0].uniform) {
        AtomList over = m->over;
        std::sort(over.begin(), over.end());
        Run part{wholeOf(*m), runs[0].local, over, false, Padding::Zero};
        if (isPaddingMask(*m, part, call.atoms))
          runs[0] = part;
      }
      if (runs.size() == 1 && !(mask.unknown & ~setOf(runs[0].atoms)) &&
          isPaddingMask(*m, runs[0], call.atoms)) {
        if (x.sum && !fillsZero)
          call.fail("fills the padding of " + call.shown(call.value(0)) +
                    " with something else than zero");
        std::optional<double> number = call.number(2);
        runs[0].padding =
            fillsZero ? Padding::Zero
            : number && *number == -std::numeric_limits<double>::infinity()
                ? Padding::Lowest
            : number == double(kIgnoredTarget) ? Padding::Ignored
                                               : Padding::Unknown;
        x.zero = x.zero && fillsZero;
        x.fact = nullptr;
        return {x};
      }
    }
  }
  std::vector<int32_t> operands = {call.value(0), call.value(1)};
  const size_t first[] = {0};
  Lie result =
      pointwise(call, operands, fillsZero ? Linear::Each : Linear::None, first,
                fillsZero ? ZeroIf::First : ZeroIf::Never);
  if (isOf(m, IndexFact::Outside) && fillsZero) {
    auto masked = std::make_shared<IndexFact>(*m);
    masked->kind = IndexFact::Masked;
    result.fact = masked;
  }
  return {result};
}

/// A tensor where a condition holds, and a number (argument `at`) elsewhere, or
/// the reverse: linear in the tensor if the number is zero.
static Rule chosen(size_t at) {
  return [at](const Call &call) -> std::vector<Lie> {
    const size_t second[] = {1};
    return {pointwise(call, call.operands(),
                      call.number(at) == 0.0 ? Linear::Each : Linear::None,
                      second)};
  };
}

void addPointwiseRules(RuleTable &table) {
  for (std::string_view op : {"aten::exp",
                              "aten::log",
                              "aten::rsqrt",
                              "aten::reciprocal",
                              "aten::cos",
                              "aten::sigmoid",
                              "aten::pow.Scalar",
                              "aten::pow.Tensor_Tensor",
                              "aten::clamp_min",
                              "aten::clamp_max",
                              "aten::clamp",
                              "aten::eq.Tensor",
                              "aten::ne.Tensor",
                              "aten::lt.Tensor",
                              "aten::le.Tensor",
                              "aten::gt.Tensor",
                              "aten::ge.Tensor",
                              "aten::eq.Scalar",
                              "aten::lt.Scalar",
                              "aten::le.Scalar",
                              "aten::gt.Scalar",
                              "aten::ge.Scalar",
                              "aten::logical_not",
                              "aten::logical_and",
                              "aten::logical_or",
                              "aten::bitwise_not",
                              "aten::bitwise_and.Tensor",
                              "aten::bitwise_or.Tensor",
                              "aten::maximum",
                              "aten::minimum",
                              "aten::acos",
                              "aten::asin",
                              "aten::asinh",
                              "aten::atan",
                              "aten::atan2",
                              "aten::atanh",
                              "aten::cosh",
                              "aten::ceil",
                              "aten::floor",
                              "aten::round",
                              "aten::trunc",
                              "aten::frac",
                              "aten::exp2",
                              "aten::log10",
                              "aten::log1p",
                              "aten::log2",
                              "aten::log_sigmoid",
                              "aten::fmax",
                              "aten::fmin",
                              "aten::fmod.Scalar",
                              "aten::fmod.Tensor",
                              "aten::hypot",
                              "aten::isfinite",
                              "aten::isinf",
                              "aten::isnan",
                              "aten::leaky_relu",
                              "aten::logical_xor",
                              "aten::max.other",
                              "aten::min.other",
                              "aten::mish",
                              "aten::remainder.Scalar",
                              "aten::remainder.Tensor",
                              "aten::softplus",
                              "aten::threshold",
                              "aten::elu",
                              "aten::hardtanh",
                              "aten::relu6",
                              "aten::bitwise_and.Scalar",
                              "aten::bitwise_or.Scalar",
                              "aten::bitwise_xor.Scalar",
                              "aten::bitwise_xor.Tensor",
                              "aten::clamp.Tensor",
                              "aten::clamp_max.Tensor",
                              "aten::clamp_min.Tensor",
                              "aten::where.Scalar"})
    table[op] = rule(Linear::None);
  // f(0) = 0.
  for (std::string_view op :
       {"aten::sqrt", "aten::sin", "aten::tanh", "aten::silu", "aten::gelu",
        "aten::relu", "aten::abs", "aten::sgn", "aten::erf", "aten::square",
        "aten::expm1", "aten::sign", "aten::tan", "aten::sinh"})
    table[op] = rule(Linear::None, {}, ZeroIf::First);
  // The first operand is the gradient, or what is scaled or copied.
  for (std::string_view op : {"aten::div.Tensor",
                              "aten::mul.Scalar",
                              "aten::div.Scalar",
                              "aten::neg",
                              "aten::to.dtype",
                              "aten::_to_copy",
                              "aten::clone",
                              "aten::contiguous",
                              "aten::alias",
                              "aten::detach",
                              "aten::silu_backward",
                              "aten::gelu_backward",
                              "aten::tanh_backward",
                              "aten::sigmoid_backward",
                              "aten::threshold_backward",
                              "aten::elu_backward",
                              "aten::hardtanh_backward",
                              "aten::leaky_relu_backward",
                              "aten::mish_backward",
                              "aten::softplus_backward",
                              "aten::positive",
                              "aten::lift_fresh",
                              "aten::to.device",
                              "aten::to.dtype_layout",
                              "aten::dropout"})
    table[op] = rule(Linear::Each, {0}, ZeroIf::First);
  // The other tensor gives its type only.
  for (std::string_view op : {"aten::to.other", "aten::type_as"})
    table[op] = [](const Call &call) -> std::vector<Lie> {
      const int32_t operand[] = {call.value(0)};
      const size_t first[] = {0};
      return {pointwise(call, operand, Linear::Each, first, ZeroIf::First)};
    };
  table["aten::mul.Tensor"] = rule(Linear::Each, {0, 1}, ZeroIf::Any);
  table["aten::add.Tensor"] = rule(Linear::Joint, {}, ZeroIf::All);
  table["aten::sub.Tensor"] = rule(Linear::Joint, {}, ZeroIf::All);
  table["aten::rsub.Tensor"] = rule(Linear::Joint, {}, ZeroIf::All);
  // The third operand of addcmul and addcdiv is a factor, as lerp's weight is.
  table["aten::addcmul"] = rule(Linear::Joint, {0, 1}, ZeroIf::All);
  table["aten::addcdiv"] = rule(Linear::Joint, {0, 1});
  table["aten::lerp.Scalar"] = rule(Linear::Joint, {}, ZeroIf::All);
  table["aten::lerp.Tensor"] = rule(Linear::Joint, {0, 1});
  table["aten::where.self"] = rule(Linear::Joint, {1, 2});
  table["aten::masked_fill.Tensor"] = rule(Linear::Joint, {0, 2});
  for (std::string_view op : {"aten::div.Scalar_mode", "aten::div.Tensor_mode"})
    table[op] = [](const Call &call) -> std::vector<Lie> {
      const size_t first[] = {0};
      return {pointwise(call, call.operands(),
                        call.rounds(2) ? Linear::None : Linear::Each, first)};
    };
  table["aten::where.ScalarSelf"] = chosen(1);
  table["aten::where.ScalarOther"] = chosen(2);
  for (std::string_view op :
       {"aten::add.Scalar", "aten::sub.Scalar", "aten::rsub.Scalar"})
    table[op] = addNumber;
  table["aten::pow.Tensor_Scalar"] = power;
  table["aten::ne.Scalar"] = differsFrom;
  table["aten::masked_fill.Scalar"] = maskedFill;
}

} // namespace nxdt::spmd
