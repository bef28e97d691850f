//===- CrashTest.cpp - killed while saving --------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/CheckpointManager.h"

#include <csignal>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

using nxdt::CheckpointConfig;
using namespace nxdt::runtime;
using namespace nxdt::runtime::test;

namespace {

/// Saves without end, as a run of several processes one after the other does.
[[noreturn]] void saveForever(const CheckpointConfig &config, int toParent) {
  try {
    auto latest = findLatest(config.dirpath);
    int64_t step = latest ? latest->step : 0;
    CheckpointManager manager(config, "x", step);
    for (;;) {
      manager.save(sampleCheckpoint(++step));
      if (::write(toParent, &step, sizeof(step)) != sizeof(step))
        break;
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "child: %s\n", error.what());
  }
  ::_exit(3);
}

/// Kills `rounds` savers at random moments. After each, the newest checkpoint
/// is whole, and not older than the last one that was reported saved.
void killLoop(const CheckpointConfig &config, int rounds) {
  std::mt19937 random(1);
  int64_t reached = 0;
  for (int round = 0; round < rounds; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe[0]);
      saveForever(config, pipe[1]);
    }
    ::close(pipe[1]);
    int64_t step = 0;
    // At least one save, then anywhere in the next ones.
    if (::read(pipe[0], &step, sizeof(step)) == sizeof(step))
      reached = std::max(reached, step);
    ::usleep(std::uniform_int_distribution<unsigned>(0, 30000)(random));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
    while (::read(pipe[0], &step, sizeof(step)) == sizeof(step))
      reached = std::max(reached, step);
    ::close(pipe[0]);

    auto latest = findLatest(config.dirpath);
    ASSERT_TRUE(latest) << "round " << round;
    EXPECT_GE(latest->step, reached) << "round " << round;
    CheckpointData data = loadCheckpoint(latest->path);
    CheckpointData expected = sampleCheckpoint(latest->step);
    EXPECT_EQ(data.step, latest->step);
    EXPECT_TRUE(same(data.model["model.embed_tokens.weight"],
                     expected.model["model.embed_tokens.weight"]));
  }
  EXPECT_GE(reached, rounds);
  // Leftovers do not add up. The first save takes a tag without `done` for one
  // that may be newer than all others; the second knows better.
  int64_t step = findLatest(config.dirpath)->step;
  CheckpointManager manager(config, "x", step);
  manager.save(sampleCheckpoint(step + 1000));
  manager.save(sampleCheckpoint(step + 2000));
  size_t entries = 0;
  for ([[maybe_unused]] const auto &entry :
       std::filesystem::directory_iterator(config.dirpath))
    ++entries;
  EXPECT_EQ(entries, config.saveLast ? 2u : 1u);
}

CheckpointConfig configFor(const TempDir &dir) {
  CheckpointConfig config;
  config.dirpath = dir.path;
  config.monitor = "step";
  config.modeMax = true;
  config.saveTopK = 1;
  return config;
}

} // namespace

TEST(Crash, NewNames) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.filename = "x--{step}";
  killLoop(config, 25);
}

TEST(Crash, SameNameReplaced) {
  TempDir dir;
  CheckpointConfig config = configFor(dir);
  config.filename = "only";
  config.saveLast = false;
  killLoop(config, 25);
}
