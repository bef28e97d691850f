//===- PlanJsonTest.cpp - the plan survives its JSON -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Plan/PlanJson.h"
#include "SamplePlan.h"
#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>

namespace nxdt::plan {
namespace {

std::string messageOf(const std::string &text) {
  try {
    fromJson(text, "p.json");
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string &from,
                     const std::string &to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(PlanJson, ReadsBackWhatItWrote) {
  Plan plan = samplePlan();
  std::string text = toJson(plan);
  Plan read = fromJson(text, "p.json");
  EXPECT_EQ(toJson(read), text);
  ASSERT_EQ(read.programs.size(), 1u);
  const auto &expected = plan.programs[0].instructions;
  const auto &found = read.programs[0].instructions;
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].args, expected[i].args) << i;
    EXPECT_EQ(found[i].outs, expected[i].outs) << i;
    EXPECT_EQ(found[i].gradOuts, expected[i].gradOuts) << i;
    EXPECT_EQ(found[i].frees, expected[i].frees) << i;
    EXPECT_EQ(found[i].module, expected[i].module) << i;
    EXPECT_EQ(found[i].kind, expected[i].kind) << i;
  }
  EXPECT_EQ(read.mesh, plan.mesh);
  EXPECT_EQ(read.tied, plan.tied);
  EXPECT_EQ(read.libraries, plan.libraries);
  EXPECT_EQ(read.buffers[0].init.kind, Init::Kind::Normal);
  EXPECT_EQ(read.buffers[0].init.b, 0.02);
  EXPECT_EQ(read.memory.peakActivationBytes, 100);
}

TEST(PlanJson, ShardsAndCollectives) {
  Plan plan = shardedPlan();
  std::string text = toJson(plan);
  Plan read = fromJson(text, "p.json");
  EXPECT_EQ(toJson(read), text);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    EXPECT_EQ(read.buffers[i].role, plan.buffers[i].role) << i;
    EXPECT_EQ(read.buffers[i].split, plan.buffers[i].split) << i;
    EXPECT_EQ(read.buffers[i].partial, plan.buffers[i].partial) << i;
    EXPECT_EQ(read.buffers[i].coordinate, plan.buffers[i].coordinate) << i;
  }
  for (size_t i = 0; i < plan.programs[0].instructions.size(); ++i) {
    const Instruction &found = read.programs[0].instructions[i];
    const Instruction &expected = plan.programs[0].instructions[i];
    EXPECT_EQ(found.kind, expected.kind) << i;
    EXPECT_EQ(found.collective, expected.collective) << i;
    EXPECT_EQ(found.reduction, expected.reduction) << i;
    EXPECT_EQ(found.axes, expected.axes) << i;
    EXPECT_EQ(found.dim, expected.dim) << i;
    EXPECT_EQ(found.reason, expected.reason) << i;
  }
  EXPECT_NE(text.find(R"(
{"kind":"collective","op":"nxdt::all_reduce","args":[{"v":4}],"outs":[5],"reduction":"max","axes":["tp:(1)3","dp"],"dim":0,"reason":"test","frees":[4,5],"module":"lm_head"})"),
            std::string::npos)
      << text;
  EXPECT_EQ(messageOf(replaced(text, "nxdt::all_reduce", "nxdt::all_redu")),
            "p.json: programs[0].instructions[4].op: unknown collective "
            "'nxdt::all_redu' (known: nxdt::all_reduce, nxdt::all_gather, "
            "nxdt::reduce_scatter, nxdt::all_slice)");
  EXPECT_EQ(messageOf(replaced(text, R"("max")", R"("min")")),
            "p.json: programs[0].instructions[4].reduction: unknown reduction "
            "'min' (known: sum, max)");
}

TEST(PlanJson, OriginsMayBeThere) {
  Plan plan = shardedPlan();
  Value &value = plan.programs[0].values[4];
  EXPECT_EQ(toJson(plan).find("origin"), std::string::npos);
  value.origin = Origin{
      "train_step#3.0>loss", {4, 4}, {{}, {"dp"}}, {"tp"}, Reduction::Max};
  std::string text = toJson(plan);
  Plan read = fromJson(text, "p.json");
  EXPECT_EQ(toJson(read), text);
  verify(read, "p.json");
  const Origin &found = read.programs[0].values[4].origin.value();
  EXPECT_EQ(found.name, value.origin->name);
  EXPECT_EQ(found.logicalShape, value.origin->logicalShape);
  EXPECT_EQ(found.split, value.origin->split);
  EXPECT_EQ(found.partial, value.origin->partial);
  EXPECT_EQ(found.reduction, Reduction::Max);
  EXPECT_FALSE(read.programs[0].values[3].origin);
  EXPECT_EQ(messageOf(replaced(text, R"("name":"train_step#3.0>loss",)", "")),
            "p.json: programs[0].values[4].origin: the field 'name' is "
            "missing");
  EXPECT_EQ(messageOf(replaced(text, R"("partial":["tp"],"reduction")",
                               R"("partial":["tp"],"more":1,"reduction")")),
            "p.json: programs[0].values[4].origin: unknown field 'more' "
            "(known: name, logical_shape, split, partial, reduction)");
}

TEST(PlanJson, OneInstructionPerLine) {
  std::string text = toJson(samplePlan());
  EXPECT_NE(text.find(R"(
{"kind":"aten","op":"my::make","args":[{"v":0},{"v":2},null,true,-7,0.1,1e+300,{"f":"-inf"},{"s":"a \"b\"\n"},{"t":"f32"},{"d":0},[1,-2],{"fl":[1.0,{"f":"inf"}]},{"bl":[true,false]}],"outs":[3],"frees":[],"module":"lm_head"},
{"kind":"aten_vjp",)"),
            std::string::npos)
      << text;
}

TEST(PlanJson, NumbersKeepTheirKindAndBits) {
  Plan plan;
  std::vector<double> doubles = {
      0.0, -0.0, 1.0, 1.0 / 3, 5e-324, 1e23, 123456789012345678.0, 1e15};
  Instruction instruction = aten("a::b", {}, {});
  for (double value : doubles)
    instruction.args.push_back(value);
  instruction.args.push_back(std::numeric_limits<int64_t>::min());
  instruction.args.push_back(std::numeric_limits<int64_t>::max());
  plan.programs = {{"p", {}, {instruction}}};
  Plan read = fromJson(toJson(plan), "p.json");
  const auto &args = read.programs[0].instructions[0].args;
  for (size_t i = 0; i < doubles.size(); ++i) {
    ASSERT_TRUE(std::holds_alternative<double>(args[i])) << i;
    EXPECT_EQ(std::bit_cast<uint64_t>(std::get<double>(args[i])),
              std::bit_cast<uint64_t>(doubles[i]));
  }
  EXPECT_EQ(std::get<int64_t>(args[doubles.size()]),
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(std::get<int64_t>(args[doubles.size() + 1]),
            std::numeric_limits<int64_t>::max());
}

TEST(PlanJson, RefusesWithAMessageThatNamesThePlace) {
  std::string text = toJson(samplePlan());
  EXPECT_EQ(messageOf(text), "");
  EXPECT_EQ(messageOf(replaced(text, R"("version":1)", R"("version":2)")),
            "p.json: version: this program reads plans of version 1, this one "
            "is 2: compile it again with this nxdt-opt");
  EXPECT_EQ(
      messageOf(replaced(text, R"("kind":"aten_vjp")", R"("kind":"kernel")")),
      "p.json: programs[0].instructions[1].kind: unknown kind of instruction "
      "'kernel' (version 1 knows: aten, aten_vjp, collective, start, wait)");
  EXPECT_EQ(messageOf(replaced(text, R"("vocab_size":3)",
                               R"("vocab_size":3,"extra":1)")),
            "p.json: unknown field 'extra' (known: version, device, mesh, "
            "libraries, micro_batch_size, sequence_length, vocab_size, tied, "
            "memory, buffers, programs)");
  EXPECT_EQ(messageOf(replaced(text, R"("device":"cpu",)", "")),
            "p.json: the field 'device' is missing");
  EXPECT_EQ(messageOf(replaced(text, R"("vocab_size":3)",
                               R"("vocab_size":3,"vocab_size":4)")),
            "p.json: the key 'vocab_size' stands twice in one object");
  EXPECT_EQ(messageOf(replaced(text, R"("vocab_size":3)",
                               R"("vocab_size":9223372036854775808)")),
            "p.json: vocab_size: 9223372036854775808 does not fit into 64 "
            "bits");
  EXPECT_EQ(
      messageOf(replaced(text, R"("frees":[3])", R"("frees":[3000000000])")),
      "p.json: programs[0].instructions[1].frees[0]: 3000000000 does not "
      "fit into 32 bits");
  EXPECT_EQ(messageOf(replaced(text, R"({"v":2})", R"({"x":2})")),
            "p.json: programs[0].instructions[0].args[1]: unknown kind of "
            "argument 'x' (known: v, vs, s, f, fl, bl, t, d)");
  EXPECT_EQ(messageOf("[1]"),
            "p.json: not a plan, expected a JSON object, found [1]");
  EXPECT_NE(messageOf("").find("its JSON is broken"), std::string::npos);
  EXPECT_NE(messageOf(std::string(100000, '[')).find("nested deeper"),
            std::string::npos);
}

TEST(PlanJson, RefusesToWriteWhatIsNotUtf8) {
  Plan plan = samplePlan();
  plan.libraries = {"/a\xff.so"};
  EXPECT_THROW(toJson(plan), UserError);
}

} // namespace
} // namespace nxdt::plan
