//===- SpmdTablesTest.cpp - verify-spmd against sharding rules ------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two descriptions of the same operators: the registry's rules, which partition
// uses and RulesTest proves by running libtorch on parts, and the tables of
// verify-spmd, which know local shapes only. Each split that a rule allows
// becomes a plan of one instruction: it must be accepted, and must not be once
// a sum that it needs is left out, or the result is declared to be whole.
//
//===----------------------------------------------------------------------===//
#include "Calls.h"
#include "Splits.h"

#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifySpmd.h"
#include "test/Unit/Executor/PlanBuilder.h"

#include "ATen/core/grad_mode.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace nxdt::test;
using namespace nxdt::plan;

namespace {

std::string said(const Plan &plan) {
  try {
    nxdt::verifySpmd(plan, "plan");
  } catch (const nxdt::UserError &error) {
    return error.what();
  }
  return "";
}

/// Of a factor that is split into single elements ranks have a dim of 1, and
/// such dims cannot be told apart: 8 as 4 x 2 from 8 as 8 x 1.
bool isTold(const Rule &rule, const Parts &parts) {
  for (size_t f = 0; f < parts.size(); ++f)
    if (parts[f] > 1 && parts[f] == rule.factors[f].size)
      return false;
  return true;
}

/// One axis for each factor that is split; none if there are more than axes.
std::optional<std::vector<std::string>> axesOf(const Parts &parts,
                                               PlanBuilder &b) {
  static const char *const names[] = {"dp", "cp", "tp"};
  std::vector<std::string> axes(parts.size());
  int64_t sizes[] = {1, 1, 1};
  size_t next = 0;
  for (size_t f = 0; f < parts.size(); ++f) {
    if (parts[f] == 1)
      continue;
    if (next == std::size(names))
      return std::nullopt;
    sizes[next] = parts[f];
    axes[f] = names[next++];
  }
  b.plan.mesh = {
      {"pp", 1}, {"dp", sizes[0]}, {"cp", sizes[1]}, {"tp", sizes[2]}};
  return axes;
}

std::vector<Axes> splitOf(const Rule::Dims &dims,
                          const std::vector<std::string> &axes) {
  std::vector<Axes> split;
  for (const std::vector<unsigned> &factors : dims) {
    Axes &list = split.emplace_back();
    for (unsigned f : factors)
      if (!axes[f].empty())
        list.push_back(axes[f]);
  }
  return split;
}

bool holds(const Rule::Dims &dims, unsigned factor) {
  return std::any_of(dims.begin(), dims.end(), [&](const auto &factors) {
    return std::find(factors.begin(), factors.end(), factor) != factors.end();
  });
}

/// The call as the only instruction, between buffers; `partial` has, per
/// operand, the axes of which it is a term. Results are summed over `sums`, if
/// `isReduced`.
struct OneCall {
  const Call &call;
  const Rule &rule;
  const Sample &local;
  std::vector<std::string> axes;
  std::vector<Axes> partial;

  enum Form { Right, NotReduced, DeclaredWhole };

  Plan plan(PlanBuilder b, Form form) const {
    for (size_t i = 0; i < call.operands.size(); ++i) {
      TensorType type = typeOf(call.operands[i]);
      b.shard("a" + std::to_string(i), type.shape,
              splitOf(rule.operands[i], axes), Role::Scalar, type.dtype);
      b.plan.buffers.back().partial = partial[i];
    }
    for (size_t r = 0; r < call.results.size(); ++r) {
      TensorType type = typeOf(call.results[r]);
      b.shard("r" + std::to_string(r), type.shape,
              splitOf(rule.results[r], axes), Role::Scalar, type.dtype);
      if (Buffer &out = b.plan.buffers.back(); form == DeclaredWhole) {
        out.logicalShape = out.shape;
        out.split.assign(out.shape.size(), {});
      }
    }
    b.program("f");
    std::vector<Arg> args = local.args;
    auto use = [&](ValueRef &ref) {
      if (ref.index >= 0)
        ref = b.use("a" + std::to_string(ref.index));
    };
    for (Arg &arg : args) {
      if (auto *ref = std::get_if<ValueRef>(&arg))
        use(*ref);
      if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
        for (ValueRef &ref : *refs)
          use(ref);
    }
    std::vector<ValueRef> made;
    for (size_t r = 0; r < call.results.size(); ++r) {
      const Buffer &out = b.plan.buffers[call.operands.size() + r];
      made.push_back(b.temporary(out.dtype, out.shape));
    }
    b.call(local.callee, args, made);
    for (size_t r = 0; r < made.size(); ++r) {
      const Buffer &out = b.plan.buffers[call.operands.size() + r];
      ValueRef value = made[r];
      if (Axes sums = sumsOf(r); !sums.empty() && form != NotReduced) {
        ValueRef sum = b.temporary(out.dtype, out.shape);
        b.collective(Collective::AllReduce, value, sum, sums).reduction =
            rule.isMax ? Reduction::Max : Reduction::Sum;
        value = sum;
      }
      b.call("aten::copy_", {b.use("r" + std::to_string(r)), value, false});
    }
    return b.plan;
  }

  Axes sumsOf(size_t result) const {
    Axes sums;
    for (unsigned f = 0; f < axes.size(); ++f)
      if (!axes[f].empty() && rule.factors[f].kind == Rule::Reduce &&
          !holds(rule.results[result], f))
        sums.push_back(axes[f]);
    for (const Axes &list : partial)
      for (const std::string &axis : list)
        if (std::find(sums.begin(), sums.end(), axis) == sums.end())
          sums.push_back(axis);
    return sums;
  }
};

std::optional<Sample> localOf(const Call &call, const Rule &rule,
                              const Parts &parts) {
  auto cut = [&](const std::vector<at::Tensor> &list,
                 const std::vector<Rule::Dims> &dims) {
    std::vector<TensorType> types = Call::typesOf(list);
    for (size_t i = 0; i < types.size(); ++i)
      types[i].shape = localShape(dims[i], types[i].shape, parts);
    return types;
  };
  return localCall(
      call.sample, Call::typesOf(call.operands), Call::typesOf(call.results),
      cut(call.operands, rule.operands), cut(call.results, rule.results));
}

class SpmdTable : public testing::TestWithParam<std::string> {
protected:
  /// Accepted as it is, refused without a sum that it needs.
  void check(const OneCall &one, const PlanBuilder &b, const Parts &parts) {
    ++tried;
    std::string message = said(one.plan(b, OneCall::Right));
    EXPECT_EQ(message, "") << one.call.name() << ":"
                           << toString(one.rule, parts);
    for (size_t r = 0; r < one.call.results.size(); ++r)
      if (!one.sumsOf(r).empty()) {
        EXPECT_NE(said(one.plan(b, OneCall::NotReduced)), "")
            << one.call.name() << ":" << toString(one.rule, parts)
            << " is accepted without its sum";
        break;
      }
    // Copies of one element are the same on all ranks, too.
    bool isSplit = false;
    for (unsigned f = 0; f < one.axes.size(); ++f) {
      auto has = [&](const Rule::Dims &dims) { return holds(dims, f); };
      isSplit = isSplit || (!one.axes[f].empty() &&
                            std::any_of(one.rule.operands.begin(),
                                        one.rule.operands.end(), has) &&
                            std::any_of(one.rule.results.begin(),
                                        one.rule.results.end(), has));
    }
    // What is made of a number is the same on all ranks.
    bool isConstant =
        one.call.operands.empty() ||
        std::any_of(std::begin(kConstant), std::end(kConstant),
                    [&](const char *part) {
                      return GetParam().find(part) != std::string::npos;
                    });
    if (isSplit && !isConstant) {
      EXPECT_NE(said(one.plan(b, OneCall::DeclaredWhole)), "")
          << one.call.name() << ":" << toString(one.rule, parts)
          << " is accepted as whole";
    }
  }
  static constexpr const char *kConstant[] = {
      "empty", "full", "ones", "zeros", "expand_as", "fill.Scalar"};
  int tried = 0;
};

TEST_P(SpmdTable, AcceptsWhatRulesAllow) {
  at::AutoGradMode mode(false);
  for (const Call &call : callsOf(GetParam())) {
    Rule rule = call.rule();
    for (const Parts &parts : splitsOf(rule)) {
      PlanBuilder b;
      auto axes = axesOf(parts, b);
      auto local = localOf(call, rule, parts);
      // Rows of a table are looked up at other indices on each rank.
      bool isLookup = rule.indexedFactor >= 0 && parts[rule.indexedFactor] > 1;
      if (axes && local && !isLookup && isTold(rule, parts))
        check({call, rule, *local, *axes,
               std::vector<Axes>(call.operands.size())},
              b, parts);
    }
    if (rule.linearity == Rule::None)
      continue;
    // Terms of a sum go in where the rule says so, one after the other or all.
    Parts none(rule.factors.size(), 1);
    for (size_t i = 0; i < call.operands.size(); ++i) {
      if (!rule.linearIn[i])
        continue;
      PlanBuilder b;
      b.plan.mesh = {{"pp", 1}, {"dp", 1}, {"cp", 1}, {"tp", 2}};
      std::vector<Axes> partial(call.operands.size());
      for (size_t other = 0; other < partial.size(); ++other)
        if (other == i ||
            (rule.linearity == Rule::Joint && rule.linearIn[other]))
          partial[other] = {"tp"};
      check({call, rule, call.sample,
             std::vector<std::string>(rule.factors.size()), partial},
            b, none);
      if (rule.linearity == Rule::Joint)
        break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, SpmdTable,
                         testing::ValuesIn(calleesWithRule()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           return testName(info.param);
                         });

} // namespace
