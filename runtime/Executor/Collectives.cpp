//===- Collectives.cpp - instructions between ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Collectives.h"

#include "nxdt/Plan/Communication.h"

#include "ATen/ops/clone.h"
#include "ATen/ops/narrow.h"

#include <set>

namespace nxdt::runtime {
namespace {

std::string joined(const plan::Axes &axes) {
  std::string out;
  for (const std::string &axis : axes)
    out += (out.empty() ? "" : ",") + axis;
  return out;
}

comm::Reduction toComm(plan::Reduction reduction) {
  return reduction == plan::Reduction::Sum ? comm::Reduction::Sum
                                           : comm::Reduction::Max;
}

comm::CollectiveOp toComm(plan::Collective kind) {
  switch (kind) {
  case plan::Collective::AllGather:
    return comm::CollectiveOp::AllGather;
  case plan::Collective::ReduceScatter:
    return comm::CollectiveOp::ReduceScatter;
  case plan::Collective::AllReduce:
  case plan::Collective::AllSlice:
    break;
  }
  return comm::CollectiveOp::AllReduce;
}

bool isSameMemory(const at::Tensor &a, const at::Tensor &b) {
  return a.const_data_ptr() == b.const_data_ptr() && a.sizes() == b.sizes() &&
         a.strides() == b.strides();
}

} // namespace

std::string worldSpec(const plan::Mesh &mesh) {
  plan::Axes axes;
  for (const plan::MeshAxis &axis : mesh.axes)
    axes.push_back(axis.name);
  return joined(axes);
}

std::vector<std::string> groupSpecs(const plan::Plan &plan) {
  std::set<std::string> specs;
  if (!plan.mesh.empty())
    specs.insert(worldSpec(plan::meshOf(plan)));
  for (const plan::Program &program : plan.programs)
    for (const plan::Instruction &instruction : program.instructions)
      if (plan::isCollective(instruction))
        specs.insert(joined(instruction.axes));
  return {specs.begin(), specs.end()};
}

std::vector<std::string> groupSpecs(const plan::PlanFamily &family) {
  std::set<std::string> specs;
  for (const plan::Plan &plan : family.stages)
    for (std::string &spec : groupSpecs(plan))
      specs.insert(std::move(spec));
  return {specs.begin(), specs.end()};
}

std::vector<comm::ChannelSpec> channelSpecs(const plan::PlanFamily &family) {
  std::vector<comm::ChannelSpec> specs;
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (const plan::Channel &channel : family.stages[stage].channels)
      if (channel.isSend)
        specs.push_back({channel.name, int64_t(stage), channel.peer});
  return specs;
}

BoundCollective bindCollective(const plan::Plan &plan,
                               const plan::Program &program, size_t index,
                               const plan::Mesh &mesh, comm::RankView *world) {
  const plan::Instruction &instruction = program.instructions[index];
  plan::GroupSpec spec = plan::toGroupSpec(instruction.axes);
  BoundCollective out;
  out.kind = instruction.collective;
  out.reduction = instruction.reduction;
  out.members = plan::groupSize(mesh, spec);
  out.index = world ? plan::groupIndex(mesh, spec, world->rank()) : 0;
  if (out.members > 1 && out.kind != plan::Collective::AllSlice)
    out.group = &world->group(joined(instruction.axes));
  out.dim = instruction.dim;
  for (const plan::Transfer &transfer : plan::transfersOf(instruction)) {
    out.inputs.push_back(transfer.input);
    out.outs.push_back(transfer.result);
  }
  out.outBuffer = program.values[out.outs[0]].buffer;
  if (out.outBuffer >= 0 &&
      plan.buffers[out.outBuffer].role == plan::Role::Carry)
    out.outBuffer = -1;
  out.label = instruction.module;
  if (!instruction.reason.empty())
    out.label += (out.label.empty() ? "" : ": ") + instruction.reason;
  out.frees = instruction.frees;
  return out;
}

comm::CollectiveCall callOf(const BoundCollective &bound) {
  comm::CollectiveCall call;
  call.op = toComm(bound.kind);
  call.reduction = toComm(bound.reduction);
  call.dim = bound.dim;
  call.label = bound.label;
  return call;
}

at::Tensor runCollective(const BoundCollective &bound, const at::Tensor &input,
                         const at::Tensor &out, comm::Work::Span *moved) {
  if (bound.kind == plan::Collective::AllSlice) {
    int64_t size = input.size(bound.dim) / bound.members;
    at::Tensor part = input.narrow(bound.dim, bound.index * size, size);
    if (out.defined())
      out.copy_(part);
    return out.defined() ? out : part;
  }
  if (!bound.group) {
    // Alone: the result is the input, but never an alias of a buffer.
    if (out.defined())
      out.copy_(input);
    return out.defined() ? out : input.clone();
  }
  comm::CollectiveCall call = callOf(bound);
  call.input = input;
  call.output = out;
  // Ranks write into `out` while `input` is still read.
  if (out.defined() && input.is_alias_of(out) &&
      !(bound.kind == plan::Collective::AllReduce && isSameMemory(input, out)))
    call.input = input.clone();
  comm::WorkPtr work = bound.group->start(std::move(call));
  at::Tensor result = work->wait();
  if (moved)
    *moved = work->span();
  return result;
}

} // namespace nxdt::runtime
