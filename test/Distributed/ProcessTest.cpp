//===- ProcessTest.cpp - ranks as processes, and what happens to them -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Processes.h"
#include "RandomCollectives.h"

#include "runtime/Comm/ExitCodes.h"
#include "runtime/Comm/Launcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <unistd.h>

namespace nxdt::comm::test {
namespace {

using Env = std::map<std::string, std::string>;

void expectContains(const std::string &text, const std::string &part) {
  EXPECT_NE(text.find(part), std::string::npos)
      << "'" << part << "' is not in:\n"
      << text;
}

int64_t countOf(const std::string &text, const std::string &part) {
  int64_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1))
    ++count;
  return count;
}

class Collectives : public testing::TestWithParam<int64_t> {};

TEST_P(Collectives, OverGlooEqualThoseInOneProcess) {
  int64_t ranks = GetParam();
  for (uint64_t seed : {1, 2}) {
    RunResult run = runRanks("collectives", ranks,
                             {{"NXDT_TEST_SEED", std::to_string(seed)}});
    EXPECT_EQ(run.exitCode, 0) << run.output;
    EXPECT_EQ(run.leftOver, 0);
    // Bit for bit: the same hash of every result on every rank.
    RandomMesh m = randomMesh(seed, ranks);
    std::vector<uint64_t> hashes(ranks);
    LoopbackWorld world(m.mesh, m.groups);
    world.run([&](RankView &rank) {
      hashes[rank.rank()] = runRandomCollectives(rank, m.groups, seed, 100);
    });
    for (int64_t r = 0; r < ranks; ++r) {
      char line[64];
      std::snprintf(line, sizeof(line), "hash %ld %016lx", static_cast<long>(r),
                    hashes[r]);
      expectContains(run.output, line);
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Ranks, Collectives, testing::Values(1, 2, 4, 8));

TEST(Processes, RanksShareTheCores) {
  RunResult run = runRanks("dangling", 2, {{"OMP_NUM_THREADS", "3"}});
  EXPECT_EQ(countOf(run.output, "threads 3\n"), 2) << run.output;
  unsetenv("OMP_NUM_THREADS");
  run = runRanks("dangling", 4);
  int64_t cores = availableCores();
  std::string line =
      "threads " + std::to_string(std::max<int64_t>(1, cores / 4)) + "\n";
  EXPECT_EQ(countOf(run.output, line), 4) << run.output;
}

TEST(Processes, CollectivesNobodyWaitedForEndWithFinish) {
  RunResult run = runRanks("dangling", 4);
  EXPECT_EQ(run.exitCode, 0) << run.output;
  EXPECT_EQ(countOf(run.output, "ended well"), 4) << run.output;
  expectContains(run.output, "[rank 3] ended well");
}

/// What every end after a failure must look like.
void expectEnded(const RunResult &run, double limit_s) {
  EXPECT_GT(run.exitCode, 0) << run.output;
  EXPECT_LT(run.afterAction_s, limit_s) << run.output;
  EXPECT_EQ(run.leftOver, 0) << run.output;
  EXPECT_EQ(run.output.find("terminate called"), std::string::npos)
      << run.output;
}

TEST(Processes, AKilledRankEndsAll) {
  int64_t moments = 2;
  if (const char *text = std::getenv("NXDT_TEST_KILLS"))
    moments = std::atoll(text);
  for (int64_t i = 0; i < moments; ++i) {
    int64_t rank = i % 4; // rank 0 serves the store and the monitor
    RunResult run = runRanks("spin", 4, {}, [&](RunningRanks &running) {
      usleep(static_cast<useconds_t>(17000 * (i * 7 % 20)));
      kill(running.pids.at(rank), SIGKILL);
    });
    expectEnded(run, 10);
    EXPECT_EQ(run.exitCode, 128 + SIGKILL) << run.output;
    std::string name = "rank " + std::to_string(rank) + " (";
    expectContains(run.output, "error: " + name); // the launcher
    expectContains(run.output, "signal 9");
    expectContains(run.output, "it last reported: step ");
    expectContains(run.output, "of tp {0,1,2,3} (layers.3.mlp)");
    // Every survivor says it, once.
    EXPECT_EQ(countOf(run.output, "died; it last reported: step "), 3)
        << run.output;
    EXPECT_EQ(countOf(run.output, "error: "), 4) << run.output;
  }
}

TEST(Processes, ChannelsDoNotWaitForEachOther) {
  for (int64_t ranks : {4, 8}) {
    RunResult run = runRanks("channels", ranks);
    EXPECT_EQ(run.exitCode, 0) << run.output;
    // Three tensors on each channel that starts or ends here.
    EXPECT_EQ(countOf(run.output, "all 36 arrived"), ranks) << run.output;
  }
  // Dozens of them do not hold up the start.
  RunResult run = runRanks("channels", 4, {{"NXDT_TEST_COUNT", "16"}});
  EXPECT_EQ(run.exitCode, 0) << run.output;
  EXPECT_EQ(countOf(run.output, "64 channels connected in 0."), 4)
      << run.output;
}

TEST(Processes, AKilledStageEndsAll) {
  for (int64_t rank : {0, 2}) {
    RunResult run = runRanks("spinChannels", 4, {}, [&](RunningRanks &running) {
      kill(running.pids.at(rank), SIGKILL);
    });
    expectEnded(run, 10);
    EXPECT_EQ(run.exitCode, 128 + SIGKILL) << run.output;
    // It was at its own channels, and the others say so.
    expectContains(run.output, "error: rank " + std::to_string(rank) + " (");
    EXPECT_EQ(countOf(run.output, "died; it last reported: step "), 3)
        << run.output;
    expectContains(run.output, " of channel h.");
  }
}

TEST(Processes, RanksThatComputeEndToo) {
  RunResult run = runRanks("computeForLong", 3, {}, [](RunningRanks &running) {
    kill(running.pids.at(1), SIGKILL);
  });
  expectEnded(run, 10);
  EXPECT_EQ(countOf(run.output, "died; it last reported: step 0, computing "
                                "after the start of barrier #0"),
            2)
      << run.output;
}

TEST(Processes, AStoppedRankEndsAll) {
  for (int64_t rank : {0, 2}) {
    RunResult run = runRanks("spin", 3, {}, [&](RunningRanks &running) {
      kill(running.pids.at(rank), SIGSTOP);
    });
    expectEnded(run, 10);
    expectContains(run.output, "error: rank " + std::to_string(rank) + " (");
    expectContains(run.output, "was stopped; it last reported: step ");
    EXPECT_EQ(countOf(run.output, "has given no sign of life for 6 s"), 2)
        << run.output;
  }
}

TEST(Processes, WithoutOurLauncherTheRanksEndByThemselves) {
  for (int signal : {SIGKILL, SIGSTOP}) {
    for (int64_t rank : {0, 1}) {
      BareResult run = runBare(
          "spin", 3, {},
          [&](RunningRanks &running) { kill(running.pids.at(rank), signal); },
          rank);
      EXPECT_LT(run.afterAction_s, 10);
      for (int64_t r = 0; r < 3; ++r) {
        if (r == rank)
          continue;
        EXPECT_EQ(run.exitCodes[r], kPeerFailureExitCode) << run.outputs[r];
        EXPECT_EQ(countOf(run.outputs[r], "error: "), 1) << run.outputs[r];
        expectContains(run.outputs[r],
                       "error: rank " + std::to_string(rank) + " (");
        expectContains(run.outputs[r], "of tp {0,1,2} (layers.3.mlp)");
      }
    }
  }
}

TEST(Processes, ADisagreementIsFoundAtTheCollective) {
  RunResult run = runRanks("mismatch", 3);
  expectEnded(run, 10);
  std::string message =
      "error: ranks disagree about a collective of group tp {0,1,2}: "
      "ranks 0, 2 at step 4, norm, call all_reduce(sum) of f32 [1000], 4000 "
      "bytes, #1; rank 1 (";
  EXPECT_EQ(countOf(run.output, message), 3) << run.output;
  EXPECT_EQ(countOf(run.output, ") at step 4, lm_head, calls all_gather of f32 "
                                "[1000], 4000 bytes, dimension 0, #1"),
            3)
      << run.output;
}

TEST(Processes, RanksInDifferentGroupsAreFoundBeforeTheTimeout) {
  RunResult run = runRanks("otherGroup", 4);
  expectEnded(run, 10);
  EXPECT_EQ(countOf(run.output, "the ranks wait for each other"), 4)
      << run.output;
  expectContains(run.output,
                 "): step 0, waiting for all_reduce #0 of tp {0,1}");
}

TEST(Processes, AnExceptionInOneRankEndsAllAndIsToldOnce) {
  for (const char *rank : {"0", "2"}) {
    RunResult run = runRanks("exception", 3, {{"NXDT_TEST_VICTIM", rank}});
    expectEnded(run, 10);
    EXPECT_EQ(run.exitCode, 1);
    expectContains(run.output, "error: no space left on device");
    // The rank says why; where it was says the launcher, unless it is the first
    // one, whose own line is the only one.
    bool isFirst = rank == std::string("0");
    EXPECT_EQ(countOf(run.output, "error: "), isFirst ? 1 : 2) << run.output;
    if (!isFirst) {
      expectContains(run.output, "error: rank 2 (");
      expectContains(run.output, "ended with exit code 1");
    }
  }
}

TEST(Processes, ARankThatEndsWithoutAWordIsADeath) {
  RunResult run = runRanks("exitEarly", 3);
  expectEnded(run, 10);
  EXPECT_EQ(countOf(run.output, "died; it last reported"), 2) << run.output;
}

TEST(Processes, DestructorsDoNotHang) {
  for (const char *rank : {"0", "1"}) {
    RunResult run = runRanks("destruct", 3, {{"NXDT_TEST_VICTIM", rank}});
    expectEnded(run, 10);
    expectContains(run.output, ") ended before the others; it last reported");
  }
}

TEST(Processes, NoProgressRunsIntoTheTimeout) {
  RunResult run = runRanks("late", 3, {{"NXDT_COMM_TIMEOUT_S", "3"}});
  expectEnded(run, 12);
  EXPECT_EQ(countOf(run.output, "error: no progress for 3 s "
                                "(NXDT_COMM_TIMEOUT_S); the others wait for "
                                "rank 1 ("),
            3)
      << run.output;
  expectContains(run.output, "step 2, computing after the start of barrier #0");
  expectContains(run.output, "waiting for barrier #1 of tp {0,1,2} (after)");
}

TEST(Processes, SavingEndsTooWithoutProgress) {
  RunResult run = runRanks(
      "loneSave", 3,
      {{"NXDT_COMM_TIMEOUT_S", "1"}, {"NXDT_COMM_SAVE_TIMEOUT_S", "4"}});
  expectEnded(run, 14);
  EXPECT_EQ(countOf(run.output,
                    "error: no progress while compiling, loading or saving for "
                    "4 s (NXDT_COMM_SAVE_TIMEOUT_S): rank 1 ("),
            3)
      << run.output;
  expectContains(run.output, "saving, step 2, computing after the start of "
                             "barrier #0");
  expectContains(run.output, "; the others: rank 0 (");
}

TEST(Processes, CompilingDoesNotCountAndBytesArriveWhole) {
  RunResult run = runRanks("slowCompile", 3, {{"NXDT_COMM_TIMEOUT_S", "2"}});
  EXPECT_EQ(run.exitCode, 0) << run.output;
  EXPECT_EQ(countOf(run.output, "ended well"), 3) << run.output;
}

TEST(Processes, DifferentPlansDoNotStart) {
  RunResult run = runRanks("fingerprint", 3);
  expectEnded(run, 10);
  EXPECT_EQ(countOf(run.output, "the ranks do not have the same plan: rank 0, "
                                "2 ("),
            3)
      << run.output;
  EXPECT_EQ(countOf(run.output, "has fingerprint 0000000000000002"), 3)
      << run.output;
}

TEST(Processes, ARankThatNeverArrivesIsNamed) {
  for (const char *rank : {"0", "2"}) {
    RunResult run =
        runRanks("dangling", 3,
                 {{"NXDT_COMM_TIMEOUT_S", "3"}, {"NXDT_TEST_ABSENT", rank}});
    expectEnded(run, 30);
    if (rank[0] == '2')
      expectContains(run.output,
                     "error: rank 2 of 3 did not arrive within 3 s");
  }
}

TEST(Processes, SigtermIsHandedOnAndRanksEndWell) {
  RunResult run = runRanks("untilTerminated", 3, {}, [](RunningRanks &running) {
    kill(running.launcher, SIGTERM);
  });
  EXPECT_EQ(run.exitCode, 0) << run.output;
  EXPECT_EQ(countOf(run.output, "saved "), 3) << run.output;
  EXPECT_EQ(run.leftOver, 0);
}

TEST(Processes, ASecondKindOfEndBySignal) {
  RunResult run = runRanks("spin", 2, {}, [](RunningRanks &running) {
    kill(running.launcher, SIGINT);
  });
  EXPECT_EQ(run.exitCode, 128 + SIGINT) << run.output;
  expectContains(run.output, "error: ended by signal 2");
  EXPECT_EQ(run.leftOver, 0);
}

TEST(Processes, NothingOutlivesAKilledLauncher) {
  RunResult run = runRanks("spin", 4, {}, [](RunningRanks &running) {
    kill(running.launcher, SIGKILL);
  });
  EXPECT_EQ(run.exitCode, 128 + SIGKILL);
  EXPECT_EQ(run.leftOver, 0);
}

} // namespace
} // namespace nxdt::comm::test

int main(int argc, char **argv) {
  int code = nxdt::comm::test::runAsChild(argc, argv);
  if (code >= 0)
    return code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
