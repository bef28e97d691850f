//===- VerifyCollective.cpp - collectives of a plan --------------*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checks.h"
#include "nxdt/Support/UserError.h"

namespace nxdt::plan {
namespace {

int64_t sizeOfGroup(const Axes &axes, const Mesh &mesh, const Fail &fail) {
  try {
    GroupSpec spec = toGroupSpec(axes);
    checkGroupSpec(mesh, spec);
    return groupSize(mesh, spec);
  } catch (const UserError &e) {
    fail(std::string("axes: ") + e.what());
  }
  return 0;
}

} // namespace

static void verifyTransfer(const Program &program,
                           const Instruction &instruction, int32_t input,
                           int32_t result, const Mesh &mesh, const Fail &fail) {
  Collective kind = instruction.collective;
  const Value &in = program.values[input];
  const Value &out = program.values[result];
  int64_t ranks = sizeOfGroup(instruction.axes, mesh, fail);
  bool reduces =
      kind == Collective::AllReduce || kind == Collective::ReduceScatter;
  if (!reduces && instruction.reduction != Reduction::Sum)
    fail("does not reduce, but the reduction max is given");
  if (reduces && in.dtype == DType::Bool &&
      instruction.reduction == Reduction::Sum)
    fail("a sum of bools: max is or");
  if (in.dtype != out.dtype)
    fail("makes " + std::string(name(out.dtype)) + " of " +
         std::string(name(in.dtype)));
  std::vector<int64_t> expected = in.shape;
  if (kind == Collective::AllReduce) {
    if (instruction.dim != 0)
      fail("has no dimension, but dim " + std::to_string(instruction.dim) +
           " is given");
  } else {
    if (instruction.dim < 0 || instruction.dim >= int64_t(in.shape.size()))
      fail("dim " + std::to_string(instruction.dim) + " does not exist in " +
           typed(in.dtype, in.shape));
    int64_t &size = expected[instruction.dim];
    if (kind == Collective::AllGather) {
      if (__builtin_mul_overflow(size, ranks, &size))
        fail("the result's size overflows");
    } else if (size % ranks) {
      fail("dim " + std::to_string(instruction.dim) + " of " +
           typed(in.dtype, in.shape) + " cannot be cut in " +
           std::to_string(ranks) + " equal parts");
    } else {
      size /= ranks;
    }
  }
  if (out.shape != expected)
    fail("over " + std::to_string(ranks) + " ranks makes " +
         typed(in.dtype, expected) + " of " + typed(in.dtype, in.shape) +
         ", but its result is " + typed(out.dtype, out.shape));
}

void verifyCollective(const Program &program, const Instruction &instruction,
                      const Mesh &mesh, const Fail &fail) {
  Collective kind = instruction.collective;
  bool isStart = instruction.kind == OpKind::Start;
  if (instruction.op != "nxdt::" + std::string(name(kind)))
    fail("is the collective " + std::string(name(kind)));
  if (isStart && kind == Collective::AllSlice)
    fail("does not communicate: there is nothing to start");
  size_t count = instruction.args.size();
  for (const Arg &arg : instruction.args)
    if (!std::holds_alternative<ValueRef>(arg))
      count = 0;
  if (count == 0 || (!isStart && count != 1))
    fail("a collective has one tensor as its argument, a start at least one");
  if (instruction.outs.size() != count)
    fail("a collective has one result for each tensor");
  if (instruction.parts.size() != (count > 1 ? count : 0))
    fail("has " + std::to_string(count) + " tensors, but " +
         std::to_string(instruction.parts.size()) + " parts");
  for (size_t i = 0; i < count; ++i) {
    int32_t input = std::get<ValueRef>(instruction.args[i]).index;
    if (instruction.outs[i] < 0)
      fail("a collective has one result for each tensor");
    verifyTransfer(program, instruction, input, instruction.outs[i], mesh,
                   fail);
    int32_t first = std::get<ValueRef>(instruction.args[0]).index;
    DType dtype = program.values[input].dtype;
    if (dtype != program.values[first].dtype)
      fail("sends " + std::string(name(program.values[first].dtype)) + " and " +
           std::string(name(dtype)) + " together");
  }
}

} // namespace nxdt::plan
