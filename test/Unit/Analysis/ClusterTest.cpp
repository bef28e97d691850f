//===- ClusterTest.cpp - what a plan runs on ------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Cluster.h"

#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>

using namespace nxdt;

namespace {

const std::string kGood = R"(ranks_per_node: 4
devices:
  - f32_flops_per_s: 1.0e+9
    bf16_flops_per_s: 2.0e+9
    efficiency: 0.5
    memory_bytes_per_s: 3.0e+9
    overhead_s: 0
  - ranks_per_node: 2
    f32_flops_per_s: 4.0e+9
    bf16_flops_per_s: 5.0e+9
    efficiency: 1
    memory_bytes_per_s: 6.0e+9
    overhead_s: 1.0e-6
intra_node: {latency_s: 1.0e-5, bytes_per_s: 7.0e+9}
inter_node: {latency_s: 2.0e-5, bytes_per_s: 8.0e+9}
)";

std::string problemOf(const std::string &from, const std::string &to) {
  std::string text = kGood;
  text.replace(text.find(from), from.size(), to);
  try {
    parseCluster(text, "c.yaml");
  } catch (const UserError &error) {
    return error.what();
  }
  return "none";
}

TEST(Cluster, Rates) {
  Cluster cluster = parseCluster(kGood, "c.yaml");
  EXPECT_EQ(cluster.ranksPerNode, 4);
  EXPECT_EQ(cluster.interNode.bytesPerSecond, 8e9);
  EXPECT_EQ(cluster.intraNode.latency_s, 1e-5);
  // Up to two on a node; more; nodes hold four.
  EXPECT_EQ(ratesFor(cluster, 1).f32_flopsPerSecond, 4e9);
  EXPECT_EQ(ratesFor(cluster, 2).overhead_s, 1e-6);
  EXPECT_EQ(ratesFor(cluster, 3).f32_flopsPerSecond, 1e9);
  EXPECT_EQ(ratesFor(cluster, 64).efficiency, 0.5);
  cluster.devices.pop_back();
  EXPECT_THROW(ratesFor(cluster, 4), UserError);
}

TEST(Cluster, Problems) {
  EXPECT_EQ(problemOf("    overhead_s: 1.0e-6", "    overheads: 1.0e-6"),
            "c.yaml:13:5: unknown key 'devices[1].overheads'; did you mean "
            "'devices[1].overhead_s'?");
  EXPECT_EQ(problemOf("efficiency: 0.5", "efficiency: 1.5"),
            "c.yaml:5:17: 'devices[0].efficiency' is a number above 0, at "
            "most 1");
  EXPECT_EQ(problemOf("ranks_per_node: 4", "ranks_per_node: 0"),
            "c.yaml:1:17: 'ranks_per_node' is a whole number from 1 up");
  EXPECT_EQ(problemOf("f32_flops_per_s: 1.0e+9", "f32_flops_per_s: fast"),
            "c.yaml:3:22: 'devices[0].f32_flops_per_s' is a number above 0");
  EXPECT_EQ(problemOf("{latency_s: 1.0e-5, bytes_per_s: 7.0e+9}",
                      "{latency_s: 1.0e-5}"),
            "c.yaml:14:13: the key 'intra_node.bytes_per_s' is missing");
  EXPECT_EQ(problemOf("{latency_s: 1.0e-5, bytes_per_s: 7.0e+9}", "fast"),
            "c.yaml:14:13: 'intra_node' is a section with keys");
}

TEST(Cluster, ExamplesAreRead) {
  Cluster cluster =
      loadCluster(NXDT_TEST_INPUTS "/../../configs/clusters/h100.yaml");
  EXPECT_EQ(cluster.ranksPerNode, 8);
  EXPECT_EQ(ratesFor(cluster, 1024).bf16_flopsPerSecond, 989e12);
}

} // namespace
