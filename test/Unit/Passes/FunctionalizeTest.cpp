//===- FunctionalizeTest.cpp - random mutations, against libtorch ---------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random programs of views, in-place and pure operators run twice: in libtorch
// as they are, and functionalized on the executor. Every tensor object must
// hold the same bits at the end.
//
//===----------------------------------------------------------------------===//
#include "PassCompiler.h"
#include "RandomText.h"
#include "runtime/Executor/Executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/neg.h>

#include <gtest/gtest.h>

using namespace nxdt::test;

namespace {

class RandomProgram {
public:
  explicit RandomProgram(uint64_t seed) : dice(seed) {
    add(at::arange(24, at::kFloat).sub(11.5).view({2, 3, 4}).div(8), "%x");
    add(at::arange(24, at::kFloat).mul(0.25).view({2, 3, 4}), "%a");
    input = objects[0].tensor.clone();
    buffer = objects[1].tensor.clone();
    pureOf(0);
  }

  void grow(int numSteps) {
    for (int i = 0; i < numSteps; ++i) {
      int64_t what = dice.roll(8);
      size_t of = dice.roll(objects.size());
      if (what < 4)
        viewOf(of);
      else if (what < 7)
        mutate(of);
      else
        pureOf(of);
    }
  }

  /// The module; every object is returned.
  std::string text() const {
    std::string names, types;
    for (const Object &object : objects) {
      names += (names.empty() ? "" : ", ") + object.name;
      types += (types.empty() ? "" : ", ") + typeText(object.tensor);
    }
    return "nxdt.buffer @x {role = \"buffer\"} : tensor<2x3x4xf32>\n"
           "nxdt.buffer @a {role = \"buffer\"} : tensor<2x3x4xf32>\n"
           "func.func @forward(%x: tensor<2x3x4xf32> {nxdt.buffer = @x}, "
           "%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (" +
           types + ") {\n" + body + "  return " + names + " : " + types +
           "\n}\n";
  }

  struct Object {
    at::Tensor tensor;
    std::string name;
    /// A view, or a view of a view, that shows elements several times.
    bool isRepeated = false;
  };
  std::vector<Object> objects;
  at::Tensor input, buffer;
  int numMutations = 0, numViews = 0;

private:
  void add(at::Tensor tensor, std::string name) {
    objects.push_back({std::move(tensor), std::move(name), false});
  }
  std::string fresh() { return "%" + std::to_string(next++); }

  void emit(const std::string &result, const std::string &callee,
            const std::string &args, const std::string &attrs,
            const std::string &operandTypes, const std::string &resultTypes) {
    body += "  " + result + " = nxdt.aten \"aten::" + callee + "\"(" + args +
            ")" + attrs + " : (" + operandTypes + ") -> " + resultTypes + "\n";
  }

  void pureOf(size_t of) {
    Object object = objects[of];
    bool isExp = dice.roll(2) && object.tensor.abs().max().item<float>() < 20;
    std::string name = fresh();
    at::Tensor result = isExp ? at::exp(object.tensor) : at::neg(object.tensor);
    emit(name, isExp ? "exp" : "neg", object.name, "", typeText(object.tensor),
         typeText(result));
    add(result, name);
  }

  void viewOf(size_t of);
  void mutate(size_t of);

  Dice dice;
  std::string body;
  int next = 0;
};

void RandomProgram::viewOf(size_t of) {
  Object object = objects[of];
  const at::Tensor &t = object.tensor;
  int64_t rank = t.dim();
  auto dim = [&] { return dice.between(-rank, rank - 1); };
  auto put = [&](const std::string &callee, const std::string &args,
                 const at::Tensor &result) {
    std::string name = fresh();
    // As capture says it: -1, that is nothing, for a reshape that copied.
    bool shares = result.is_alias_of(t);
    emit(name, callee, object.name + (args.empty() ? "" : ", ") + args,
         shares ? " {views = array<i32: 0>}" : "", typeText(t),
         typeText(result));
    add(result, name);
    objects.back().isRepeated =
        shares && (object.isRepeated ||
                   (callee == "expand" && result.numel() > t.numel()));
    ++numViews;
  };
  auto num = [](int64_t value) { return std::to_string(value); };
  if (rank == 0 || rank > 4)
    return;
  switch (dice.roll(12)) {
  case 0: {
    int64_t d = dim(), index = dice.between(-t.size(d), t.size(d) - 1);
    return put("select.int", num(d) + ", " + num(index), t.select(d, index));
  }
  case 1: {
    int64_t d = dim(), start = dice.between(-1, t.size(d) - 1);
    int64_t end = dice.between(1, t.size(d) + 2), step = dice.between(1, 2);
    at::Tensor part = t.slice(d, start, end, step);
    if (part.numel() == 0)
      return;
    return put("slice.Tensor",
               num(d) + ", " + num(start) + ", " + num(end) + ", " + num(step),
               part);
  }
  case 2: {
    int64_t a = dim(), b = dim();
    return put("transpose.int", num(a) + ", " + num(b), t.transpose(a, b));
  }
  case 3: {
    int64_t d = dice.between(-rank - 1, rank);
    return put("unsqueeze", num(d), t.unsqueeze(d));
  }
  case 4: {
    int64_t d = dim();
    return put("squeeze.dim", num(d), t.squeeze(d));
  }
  case 5:
    return put("reshape", listText({t.numel()}), t.reshape({t.numel()}));
  case 6: {
    if (!t.is_contiguous() || t.numel() % 2)
      return;
    return put("view", listText({t.numel() / 2, 2}),
               t.view({t.numel() / 2, 2}));
  }
  case 7: {
    if (rank < 2)
      return;
    int64_t offset = dice.between(-1, 1);
    at::Tensor diagonal = t.diagonal(offset, -1, 0);
    if (diagonal.numel() == 0)
      return;
    return put("diagonal", num(offset) + ", -1, 0", diagonal);
  }
  case 8: {
    int64_t d = dim(), length = dice.between(1, t.size(d));
    int64_t start = dice.between(0, t.size(d) - length);
    return put("narrow", num(d) + ", " + num(start) + ", " + num(length),
               t.narrow(d, start, length));
  }
  case 9: {
    std::vector<int64_t> order(rank);
    for (int64_t d = 0; d < rank; ++d)
      order[d] = d;
    for (int64_t d = rank - 1; d > 0; --d)
      std::swap(order[d], order[dice.roll(d + 1)]);
    return put("permute", listText(order), t.permute(order));
  }
  case 10:
    return put("detach", "", t.detach());
  default: {
    std::vector<int64_t> shape = t.sizes().vec();
    shape.insert(shape.begin(), dice.between(1, 2));
    return put("expand", listText(shape) + ", false", t.expand(shape));
  }
  }
}

void RandomProgram::mutate(size_t of) {
  Object object = objects[of];
  at::Tensor t = object.tensor;
  // Inputs are not written; what shows elements twice cannot be.
  if (object.isRepeated || t.is_alias_of(objects[0].tensor))
    return;
  Object other = objects[dice.roll(objects.size())];
  if (other.tensor.sizes() != t.sizes())
    other = object;
  std::string type = typeText(t), types = type + ", " + typeText(other.tensor);
  std::string callee, args = object.name;
  switch (dice.roll(7)) {
  case 0:
    callee = "mul_.Scalar", args += ", 0.5", types = type;
    t.mul_(0.5);
    break;
  case 1:
    callee = "add_.Tensor", args += ", " + other.name + ", 2";
    // Libtorch refuses operands that overlap in part.
    if (other.tensor.is_alias_of(t) && !other.tensor.is_same(t))
      return;
    t.add_(other.tensor, 2);
    break;
  case 2:
    callee = "copy_", args += ", " + other.name + ", false";
    if (other.tensor.is_alias_of(t))
      return;
    t.copy_(other.tensor);
    break;
  case 3:
    callee = "fill_.Scalar", args += ", 3.0", types = type;
    t.fill_(3.0);
    break;
  case 4:
    callee = "clamp_", args += ", -1.0, none", types = type;
    t.clamp_(-1.0);
    break;
  case 5:
    callee = "relu_", types = type;
    t.relu_();
    break;
  default: {
    std::string mask = fresh();
    at::Tensor positive = at::gt(other.tensor, 0.5);
    emit(mask, "gt.Scalar", other.name + ", 0.5", "", typeText(other.tensor),
         typeText(positive));
    callee = "masked_fill_.Scalar", args += ", " + mask + ", -2.0";
    types = type + ", " + typeText(positive);
    t.masked_fill_(positive, -2.0);
  }
  }
  std::string name = fresh();
  emit(name, callee, args, " {mutates = array<i32: 0>, views = array<i32: 0>}",
       types, type);
  ++numMutations;
  // Later operators may name the tensor by either value.
  if (dice.roll(2))
    objects[of].name = name;
}

TEST(Functionalize, KeepsTheBitsOfRandomPrograms) {
  at::NoGradGuard noGrad;
  int mutations = 0, views = 0;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RandomProgram program(seed);
    program.grow(14);
    std::string text = program.text();
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + text);
    Compiled compiled;
    ASSERT_NO_THROW(compiled = compile(text, "functionalize,verify-capture"));
    nxdt::runtime::Executor executor(std::move(compiled.plan));
    executor.buffer("x").copy_(program.input);
    executor.buffer("a").copy_(program.buffer);
    executor.run("forward");
    for (size_t i = 0; i < program.objects.size(); ++i)
      ASSERT_TRUE(at::equal(executor.buffer("out" + std::to_string(i)),
                            program.objects[i].tensor))
          << "object " << i << ", " << program.objects[i].name << "\n"
          << compiled.ir;
    ASSERT_TRUE(at::equal(executor.buffer("a"), program.objects[1].tensor))
        << "the buffer\n"
        << compiled.ir;
    mutations += program.numMutations;
    views += program.numViews;
  }
  // The dice do reach what is to be tested.
  EXPECT_GT(mutations, 1000);
  EXPECT_GT(views, 2000);
}

} // namespace
