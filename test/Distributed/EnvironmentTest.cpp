//===- EnvironmentTest.cpp - launchers' variables, meshes and groups -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Environment.h"
#include "runtime/Comm/GroupTable.h"

#include "nxdt/Support/UserError.h"

#include <gtest/gtest.h>

namespace nxdt::comm::test {
namespace {

std::string errorOf(const EnvironmentMap &env) {
  try {
    readProcessEnvironment(env);
  } catch (const UserError &e) {
    return e.what();
  }
  return "";
}

const EnvironmentMap kTorchrun = {
    {"RANK", "5"},        {"WORLD_SIZE", "8"},
    {"LOCAL_RANK", "1"},  {"LOCAL_WORLD_SIZE", "4"},
    {"MASTER_ADDR", "h"}, {"MASTER_PORT", "1234"}};

TEST(Environment, NobodyLaunchedThis) {
  ProcessEnvironment p = readProcessEnvironment({{"PATH", "/bin"}});
  EXPECT_FALSE(p.isLaunched());
  EXPECT_EQ(p.worldSize, 1);
  // Set for other launchers, launches nothing by itself.
  EXPECT_FALSE(readProcessEnvironment({{"MASTER_ADDR", "h"}}).isLaunched());
  // A Slurm allocation without srun.
  EXPECT_FALSE(
      readProcessEnvironment({{"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}})
          .isLaunched());
}

TEST(Environment, Torchrun) {
  ProcessEnvironment p = readProcessEnvironment(kTorchrun);
  EXPECT_EQ(p.launcher, "torchrun");
  EXPECT_EQ(p.rank, 5);
  EXPECT_EQ(p.worldSize, 8);
  EXPECT_EQ(p.localRank, 1);
  EXPECT_EQ(p.localSize, 4);
  EXPECT_EQ(p.nodes, 2);
  EXPECT_EQ(p.masterAddress, "h");
  EXPECT_EQ(p.masterPort, 1234);
  EXPECT_FALSE(p.agentServesStore);
  EnvironmentMap agent = kTorchrun;
  agent["TORCHELASTIC_USE_AGENT_STORE"] = "True";
  agent["TORCHELASTIC_RESTART_COUNT"] = "2";
  p = readProcessEnvironment(agent);
  EXPECT_TRUE(p.agentServesStore);
  EXPECT_EQ(p.storePrefix, "nxdt/2");
}

TEST(Environment, TorchrunIncompleteOrContradictory) {
  for (const char *name :
       {"RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"}) {
    EnvironmentMap env = kTorchrun;
    env.erase(name);
    EXPECT_NE(errorOf(env).find(name), std::string::npos) << errorOf(env);
  }
  auto with = [](const char *name, const char *value) {
    EnvironmentMap env = kTorchrun;
    env[name] = value;
    return errorOf(env);
  };
  EXPECT_NE(with("RANK", "8").find("rank 8 of a world of 8"),
            std::string::npos);
  EXPECT_NE(with("RANK", "x").find("RANK='x'"), std::string::npos);
  EXPECT_NE(with("RANK", "-1").find("RANK='-1'"), std::string::npos);
  EXPECT_NE(with("LOCAL_RANK", "4").find("local rank 4 of 4"),
            std::string::npos);
  EXPECT_NE(with("LOCAL_WORLD_SIZE", "9").find("9 processes on this host"),
            std::string::npos);
  EXPECT_NE(with("MASTER_PORT", "70000").find("between 1 and 65535"),
            std::string::npos);
  EXPECT_NE(with("WORLD_SIZE", "0").find("WORLD_SIZE=0"), std::string::npos);
}

TEST(Environment, OpenMpi) {
  EnvironmentMap env = {{"OMPI_COMM_WORLD_RANK", "3"},
                        {"OMPI_COMM_WORLD_SIZE", "4"},
                        {"OMPI_COMM_WORLD_LOCAL_RANK", "3"},
                        {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
  ProcessEnvironment p = readProcessEnvironment(env);
  EXPECT_EQ(p.launcher, "Open MPI");
  EXPECT_EQ(p.rank, 3);
  EXPECT_EQ(p.nodes, 1);
  EXPECT_EQ(p.masterAddress, "127.0.0.1");
  int64_t port = p.masterPort;
  env["OMPI_COMM_WORLD_RANK"] = "0";
  env["OMPI_COMM_WORLD_LOCAL_RANK"] = "0";
  EXPECT_EQ(readProcessEnvironment(env).masterPort, port);
  env["OMPI_COMM_WORLD_SIZE"] = "8";
  EXPECT_NE(errorOf(env).find("set MASTER_ADDR"), std::string::npos);
  env["MASTER_ADDR"] = "node1";
  p = readProcessEnvironment(env);
  EXPECT_EQ(p.masterAddress, "node1");
  EXPECT_EQ(p.nodes, 2);
  env.erase("OMPI_COMM_WORLD_LOCAL_RANK");
  EXPECT_NE(errorOf(env).find("OMPI_COMM_WORLD_LOCAL_RANK"), std::string::npos);
}

TEST(Environment, Slurm) {
  EnvironmentMap env = {{"SLURM_STEP_ID", "0"},
                        {"SLURM_JOB_ID", "77"},
                        {"SLURM_PROCID", "5"},
                        {"SLURM_LOCALID", "1"},
                        {"SLURM_NTASKS", "8"},
                        {"SLURM_NNODES", "2"},
                        {"SLURM_NODELIST", "gpu[07-08]"},
                        {"SLURM_TASKS_PER_NODE", "4(x2)"}};
  ProcessEnvironment p = readProcessEnvironment(env);
  EXPECT_EQ(p.launcher, "Slurm");
  EXPECT_EQ(p.rank, 5);
  EXPECT_EQ(p.localRank, 1);
  EXPECT_EQ(p.localSize, 4);
  EXPECT_EQ(p.nodes, 2);
  EXPECT_EQ(p.masterAddress, "gpu07");
  EXPECT_GE(p.masterPort, 20000);
  env.erase("SLURM_LOCALID");
  EXPECT_NE(errorOf(env).find("SLURM_LOCALID"), std::string::npos);
  env["SLURM_LOCALID"] = "1";
  env["SLURM_PROCID"] = "9";
  EXPECT_NE(errorOf(env).find("rank 9 of a world of 8"), std::string::npos);
}

TEST(Environment, FirstSlurmHost) {
  EXPECT_EQ(firstSlurmHost("a"), "a");
  EXPECT_EQ(firstSlurmHost("b,a"), "b");
  EXPECT_EQ(firstSlurmHost("n[3,5-7],m"), "n3");
  EXPECT_EQ(firstSlurmHost("a[07-09,12]-x,b"), "a07-x");
  EXPECT_EQ(firstSlurmHost("r[1-2]n[03-04]"), "r1n03");
  EXPECT_THROW(firstSlurmHost("a[1"), UserError);
  EXPECT_THROW(firstSlurmHost(""), UserError);
}

TEST(Environment, Pmi) {
  EnvironmentMap env = {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}};
  EXPECT_NE(errorOf(env).find("MASTER_ADDR"), std::string::npos);
  env["MPI_LOCALRANKID"] = "1";
  env["MPI_LOCALNRANKS"] = "2";
  ProcessEnvironment p = readProcessEnvironment(env);
  EXPECT_EQ(p.launcher, "PMI");
  EXPECT_EQ(p.rank, 1);
  EXPECT_EQ(p.masterAddress, "127.0.0.1");
}

using Ranks = std::vector<int64_t>;

TEST(Mesh, NxdRankOrder) {
  // The example of the rank layout: world 16, tp 4, pp 2, dp 2.
  Mesh mesh = Mesh::nxd(2, 2, 1, 4);
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp"), 6), (Ranks{4, 5, 6, 7}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("dp"), 8), (Ranks{8, 12}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("pp"), 15), (Ranks{7, 15}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("cp"), 3), (Ranks{3}));
  for (int64_t r = 0; r < 16; ++r)
    EXPECT_EQ(mesh.rankOf(mesh.coordinates(r)), r);
}

TEST(Mesh, OrderOfAxesIsOrderOfRanks) {
  Mesh mesh = Mesh::nxd(1, 2, 1, 2);
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("dp,tp"), 3), (Ranks{0, 1, 2, 3}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp,dp"), 3), (Ranks{0, 2, 1, 3}));
}

TEST(Mesh, SubAxes) {
  Mesh mesh = Mesh::nxd(1, 1, 1, 8);
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp:(2)4"), 5),
            (Ranks{4, 5, 6, 7}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp:(1)2"), 5), (Ranks{1, 5}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp:(2)2"), 5), (Ranks{5, 7}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp:(4)2"), 5), (Ranks{4, 5}));
  EXPECT_EQ(groupRanks(mesh, parseGroupSpec("tp:(4)2,tp:(1)2"), 5),
            (Ranks{0, 4, 1, 5}));
  EXPECT_EQ(groupName(mesh, parseGroupSpec("tp:(1)8")), "tp");
  EXPECT_EQ(groupName(mesh, parseGroupSpec("tp:(2)4")), "tp:(2)4");
}

TEST(Mesh, BadGroupsAreRefused) {
  Mesh mesh = Mesh::nxd(1, 2, 1, 8);
  auto error = [&](const std::string &text) -> std::string {
    try {
      checkGroupSpec(mesh, parseGroupSpec(text));
    } catch (const UserError &e) {
      return e.what();
    }
    return "";
  };
  EXPECT_NE(error("ep").find("axes are pp, dp, cp, tp"), std::string::npos);
  EXPECT_NE(error("tp:(2)3").find("the size may be 1, 2, 4"),
            std::string::npos);
  EXPECT_NE(error("tp:(3)2").find("divisor"), std::string::npos);
  EXPECT_NE(error("tp,tp").find("twice"), std::string::npos);
  EXPECT_NE(error("tp:(1)4,tp:(2)2").find("overlapping"), std::string::npos);
  for (const char *text : {"", "tp,", "tp:", "tp:2", "tp:(2", "tp:(a)2",
                           "tp:(2)", "tp:(0)2", "tp:(99999999999)1"})
    EXPECT_NE(error(text), "") << text;
}

} // namespace
} // namespace nxdt::comm::test
