//===- PlanBuilder.h - plans by hand -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_UNIT_EXECUTOR_PLANBUILDER_H
#define NXDT_TEST_UNIT_EXECUTOR_PLANBUILDER_H

#include "nxdt/Plan/Plan.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Plan/Slice.h"

#include <map>

namespace nxdt::plan {

/// Builds one plan; temporaries are values, buffers are used by name.
class PlanBuilder {
public:
  /// A buffer of no special meaning.
  void buffer(const std::string &name, DType dtype, std::vector<int64_t> shape,
              Role role = Role::Scalar) {
    Buffer out;
    out.name = name;
    out.role = role;
    out.dtype = dtype;
    out.shape = std::move(shape);
    indices[name] = int32_t(plan.buffers.size());
    plan.buffers.push_back(out);
  }
  /// A buffer cut in pieces.
  void shard(const std::string &name, std::vector<int64_t> logicalShape,
             std::vector<Axes> split, Role role = Role::Scalar,
             DType dtype = DType::F32, const std::string &param = "",
             const std::string &state = "") {
    Buffer out;
    out.name = name;
    out.role = role;
    out.dtype = dtype;
    out.param = param;
    out.state = state;
    out.logicalShape = std::move(logicalShape);
    out.split = std::move(split);
    out.shape = localShape(out, meshOf(plan));
    indices[name] = int32_t(plan.buffers.size());
    plan.buffers.push_back(out);
  }
  void program(const std::string &name) {
    plan.programs.push_back({name, {}, {}});
  }

  /// The value of a buffer in the current program.
  ValueRef use(const std::string &name) {
    const Buffer &buffer = plan.buffers[indices.at(name)];
    return value(buffer.dtype, buffer.shape, indices.at(name));
  }
  ValueRef temporary(DType dtype, std::vector<int64_t> shape) {
    return value(dtype, std::move(shape), -1);
  }
  Instruction &call(const std::string &op, std::vector<Arg> args,
                    std::vector<ValueRef> outs = {}) {
    Instruction out;
    out.op = op;
    out.args = std::move(args);
    for (ValueRef ref : outs)
      out.outs.push_back(ref.index);
    out.module = "test." + std::to_string(current().instructions.size());
    current().instructions.push_back(out);
    return current().instructions.back();
  }
  Instruction &collective(Collective kind, ValueRef in, ValueRef out, Axes axes,
                          int64_t dim = 0) {
    Instruction &result = call("nxdt::" + std::string(name(kind)), {in}, {out});
    result.kind = OpKind::Collective;
    result.collective = kind;
    result.axes = std::move(axes);
    result.dim = dim;
    result.reason = "test";
    return result;
  }
  Instruction &start(Collective kind, std::vector<ValueRef> ins,
                     std::vector<ValueRef> outs, Axes axes, int64_t dim = 0) {
    Instruction &result =
        call("nxdt::" + std::string(name(kind)),
             std::vector<Arg>(ins.begin(), ins.end()), std::move(outs));
    result.kind = OpKind::Start;
    result.collective = kind;
    result.axes = std::move(axes);
    result.dim = dim;
    result.reason = "test";
    if (ins.size() > 1)
      result.parts.assign(ins.size(), {"test", "test"});
    return result;
  }
  /// For what instruction `index` of the program starts.
  Instruction &wait(size_t index) {
    std::vector<ValueRef> results, inputs;
    for (int32_t out : current().instructions[index].outs)
      results.push_back({out});
    for (const Arg &arg : current().instructions[index].args)
      inputs.push_back(std::get<ValueRef>(arg));
    Instruction &result = call("nxdt::wait", {results, inputs});
    result.kind = OpKind::Wait;
    return result;
  }
  /// `outs`: a gradient per tensor argument, index -1 = none.
  Instruction &vjp(const std::string &op, std::vector<Arg> args,
                   std::vector<ValueRef> outs, std::vector<int32_t> gradOuts) {
    Instruction &out = call(op, std::move(args), std::move(outs));
    out.kind = OpKind::AtenVjp;
    out.gradOuts = std::move(gradOuts);
    return out;
  }

  void channel(const std::string &name, bool isSend, int64_t peer,
               const std::string &buffer) {
    plan.channels.push_back({name, isSend, peer, indices.at(buffer), "test"});
  }
  /// An action of the last schedule.
  void act(ActionKind kind, const std::string &name, int64_t microBatch) {
    auto find = [&](const auto &list) {
      for (size_t i = 0; i < list.size(); ++i)
        if (list[i].name == name)
          return int32_t(i);
      return -1;
    };
    int32_t index = kind == ActionKind::Run    ? find(plan.programs)
                    : kind == ActionKind::Free ? find(plan.buffers)
                                               : find(plan.channels);
    plan.schedules.back().actions.push_back({kind, index, microBatch});
  }

  /// The plan, with `frees` of temporaries and `memory` filled in.
  Plan take() {
    for (Program &program : plan.programs) {
      auto uses = lastUses(program);
      for (size_t i = 0; i < uses.size(); ++i) {
        std::vector<int32_t> &frees = program.instructions[i].frees;
        frees.insert(frees.end(), uses[i].begin(), uses[i].end());
      }
    }
    plan.memory = bufferBytes(plan);
    return plan;
  }

  Plan plan;

private:
  Program &current() { return plan.programs.back(); }
  ValueRef value(DType dtype, std::vector<int64_t> shape, int32_t buffer) {
    current().values.push_back({dtype, std::move(shape), buffer});
    return {int32_t(current().values.size()) - 1};
  }
  std::map<std::string, int32_t> indices;
};

} // namespace nxdt::plan

#endif // NXDT_TEST_UNIT_EXECUTOR_PLANBUILDER_H
