//===- ReasonsTest.cpp - what reports make of paths and reasons -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Report.h"

#include <gtest/gtest.h>

using namespace nxdt;

namespace {

using Names = std::vector<std::string>;

TEST(Reasons, LayersBecomeOneClass) {
  EXPECT_EQ(classOf("model.layers.12.mlp.up_proj"),
            "model.layers.*.mlp.up_proj");
  EXPECT_EQ(classOf("model.layers.0"), "model.layers.*");
  EXPECT_EQ(classOf("blocks.3.heads.4^"), "blocks.*.heads.*^");
  EXPECT_EQ(classOf("sum of aten::linear of model.layers.7.mlp for "
                    "aten::add.Tensor of model.layers.7"),
            "sum of aten::linear of model.layers.*.mlp for aten::add.Tensor "
            "of model.layers.*");
}

TEST(Reasons, OtherNumbersStay) {
  EXPECT_EQ(classOf("x needs more of dimension 1"),
            "x needs more of dimension 1");
  EXPECT_EQ(classOf("conv1.2d.3_a"), "conv1.2d.3_a");
  EXPECT_EQ(classOf(""), "");
}

const std::vector<std::pair<std::string, std::string>> kOrigins = {
    {"tp", "tensor_model_parallel_size = 2 (a [b].yaml:3:4)"},
    {"dp", "trainer.devices (default)"},
    {"zero1", "zero1 = True (a.yaml:5:6)"}};

TEST(Reasons, CausesAreTakenFromTheEnd) {
  auto [reason, causes] =
      splitReason("gradient of w, once per step [trainer.devices (default)] "
                  "[tensor_model_parallel_size = 2 (a [b].yaml:3:4)]",
                  kOrigins);
  EXPECT_EQ(reason, "gradient of w, once per step");
  EXPECT_EQ(causes, (Names{"dp", "tp"}));
}

TEST(Reasons, WhatIsNoCauseStaysInTheReason) {
  auto [reason, causes] = splitReason("x [0] [unknown]", kOrigins);
  EXPECT_EQ(reason, "x [0] [unknown]");
  EXPECT_TRUE(causes.empty());
}

TEST(Reasons, ACollectiveKeepsTheCausesOfItsAxes) {
  plan::Plan plan;
  plan.mesh = {{"dp", 2}, {"tp", 4}};
  Names all = {"dp", "tp", "sequence_parallel", "zero1"};
  EXPECT_EQ(causesOf(plan, {"dp"}, all), (Names{"dp", "zero1"}));
  EXPECT_EQ(causesOf(plan, {"tp:(2)2"}, all),
            (Names{"tp", "sequence_parallel"}));
  EXPECT_EQ(causesOf(plan, {"dp", "tp"}, all), all);
}

} // namespace
