//===- CostTest.cpp - the time of a step ----------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Cost.h"

#include "Nxdt/IR/Nxdt.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

/// 2 ranks on a node.
Cluster sampleCluster() {
  Cluster cluster;
  cluster.ranksPerNode = 2;
  DeviceRates rates;
  rates.f32_flopsPerSecond = 100;
  rates.bf16_flopsPerSecond = 1000;
  rates.efficiency = 0.5;
  rates.memory_bytesPerSecond = 1000;
  rates.overhead_s = 0.125;
  cluster.devices = {rates};
  cluster.intraNode = {0.25, 64};
  cluster.interNode = {1, 16};
  return cluster;
}

/// Of 4 x 4 matrices: y = a * a; p starts the sum of a; z = -y beside it; w
/// waits.
const char *const kModule = R"mlir(
func.func @train_step(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %y = nxdt.aten "aten::mm"(%a, %a) : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = nxdt.all_reduce_start %a {axes = [#nxdt.axis<tp:(1)2>], reason = "r", reduction = "sum"} : (tensor<4x4xf32>) -> !nxdt.pending<tensor<4x4xf32>>
  %z = nxdt.aten "aten::neg"(%y) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %w = nxdt.wait %p : !nxdt.pending<tensor<4x4xf32>> -> tensor<4x4xf32>
  return %z, %w : tensor<4x4xf32>, tensor<4x4xf32>
}
)mlir";

PlanFamily sampleFamily() {
  Plan plan;
  plan.mesh = {{"pp", 1}, {"dp", 2}, {"cp", 1}, {"tp", 2}};
  Program program;
  program.name = "train_step";
  program.values.assign(4, {DType::F32, {4, 4}, -1, {}});
  Instruction mm, start, neg, wait;
  mm.op = "aten::mm";
  mm.args = {ValueRef{0}, ValueRef{0}};
  mm.outs = {1};
  start.kind = OpKind::Start;
  start.op = "nxdt::all_reduce";
  start.args = {ValueRef{0}};
  start.outs = {3};
  start.axes = {"tp"};
  start.module = "m";
  neg.op = "aten::neg";
  neg.args = {ValueRef{1}};
  neg.outs = {2};
  wait.kind = OpKind::Wait;
  wait.op = "nxdt::wait";
  wait.args = {std::vector<ValueRef>{{3}}, std::vector<ValueRef>{{0}}};
  program.instructions = {mm, start, neg, wait};
  plan.programs = {program};
  return {{plan}};
}

TEST(Cost, CollectivesAreRings) {
  PlanFamily family = sampleFamily();
  const Plan &plan = family.stages[0];
  const Program &program = plan.programs[0];
  Instruction call = program.instructions[1];
  // 64 bytes of which 2 * 1/2 go out, in two messages.
  EXPECT_DOUBLE_EQ(collectiveTime_s(plan, program, call, 0, sampleCluster()),
                   2 * 0.25 + 64.0 / 64);
  // Ranks 0 and 2 are on two nodes.
  call.axes = {"dp"};
  EXPECT_DOUBLE_EQ(collectiveTime_s(plan, program, call, 0, sampleCluster()),
                   2 * 1 + 64.0 / 16);
  // Of four ranks, 3/4 of the bytes in three messages.
  call.axes = {"dp", "tp"};
  call.collective = Collective::ReduceScatter;
  EXPECT_DOUBLE_EQ(collectiveTime_s(plan, program, call, 0, sampleCluster()),
                   3 * 1 + 48.0 / 16);
}

class CostModelTest : public ::testing::Test {
protected:
  CostModelTest() {
    context.loadDialect<NxdtDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(
        kModule, mlir::ParserConfig(&context));
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  PlanFamily family = sampleFamily();
};

TEST_F(CostModelTest, CollectivesRunBesideOperators) {
  ASSERT_TRUE(module);
  CostModel model(*module, family, sampleCluster());
  const ProgramTime &time = model.program(0, "train_step");
  // 2 * 4^3 operations at 50 a second; 128 bytes at 1000 a second.
  double mm_s = 0.125 + 128.0 / 50, neg_s = 0.125 + 16.0 / 50;
  EXPECT_DOUBLE_EQ(time.compute_s, mm_s + neg_s);
  EXPECT_DOUBLE_EQ(time.total_s, mm_s + 1.5);
  EXPECT_DOUBLE_EQ(time.waited_s, 1.5 - neg_s);
  ASSERT_EQ(time.events.size(), 2u);
  EXPECT_EQ(time.events[0].thread, "collectives tp");
  EXPECT_EQ(time.events[0].bytes, 64);
  EXPECT_DOUBLE_EQ(time.events[0].begin_s, mm_s);
  EXPECT_DOUBLE_EQ(time.events[0].end_s, mm_s + 1.5);
  EXPECT_EQ(time.events[1].name, "wait all_reduce");
}

TEST_F(CostModelTest, StepsRepeatMicroBatches) {
  ASSERT_TRUE(module);
  CostModel model(*module, family, sampleCluster());
  std::vector<schedule::TraceProcess> trace;
  StepTime step = model.step(3, &trace);
  EXPECT_NEAR(step.step_s, 3 * model.program(0, "train_step").total_s, 1e-12);
  EXPECT_NEAR(step.stages[0].collectives_s + step.stages[0].compute_s,
              step.step_s, 1e-12);
  int64_t runs = 0;
  for (const schedule::TraceEvent &event : trace[0].events)
    runs += event.category == "run" && event.name.starts_with("train_step ");
  EXPECT_EQ(runs, 3);
}

TEST_F(CostModelTest, WithoutAClusterOnlyFlopsCount) {
  ASSERT_TRUE(module);
  CostModel model(*module, family);
  EXPECT_DOUBLE_EQ(model.program(0, "train_step").total_s, 1);
}

} // namespace
