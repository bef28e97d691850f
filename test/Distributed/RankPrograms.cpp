//===- RankPrograms.cpp - what the ranks of the tests do -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "RankPrograms.h"

#include "RandomCollectives.h"
#include "runtime/Comm/World.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace nxdt::comm::test {

namespace {

int64_t numberOf(const char *variable, int64_t otherwise) {
  const char *text = std::getenv(variable);
  return text ? std::atoll(text) : otherwise;
}

/// The rank that misbehaves.
int64_t victim() { return numberOf("NXDT_TEST_VICTIM", 1); }

void sleepSeconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void ready(const World &world) {
  std::printf("ready %ld\n", static_cast<long>(world.rank()));
  std::fflush(stdout);
}

void makeWorldGroup(World &world) {
  world.createGroups(Mesh::nxd(1, 1, 1, world.size()), {"tp"});
}

void collectives(World &world) {
  uint64_t seed = numberOf("NXDT_TEST_SEED", 1);
  RandomMesh m = randomMesh(seed, world.size());
  world.createGroups(m.mesh, m.groups);
  uint64_t hash = runRandomCollectives(world, m.groups, seed,
                                       numberOf("NXDT_TEST_COUNT", 100));
  std::printf("hash %ld %016lx\n", static_cast<long>(world.rank()), hash);
}

/// Trains for ever: a step, a collective, and no way out but a failure.
void spin(World &world) {
  makeWorldGroup(world);
  Group &tp = world.group("tp");
  for (int64_t step = 1;; ++step) {
    world.status().setStep(step);
    tp.startAllReduce(at::ones({5000}), Reduction::Sum, "layers.3.mlp")->wait();
    if (step == 100) // beats have told what it does by now
      ready(world);
    sleepSeconds(0.005);
  }
}

/// Ranks that compute for long while one is killed: they wait for nobody.
void computeForLong(World &world) {
  makeWorldGroup(world);
  world.group("tp").barrier();
  sleepSeconds(0.5);
  ready(world);
  sleepSeconds(1000);
}

void mismatch(World &world) {
  makeWorldGroup(world);
  Group &tp = world.group("tp");
  world.status().setStep(4);
  tp.barrier();
  if (world.rank() == victim())
    tp.startAllGather(at::ones({1000}), 0, "lm_head")->wait();
  else
    tp.startAllReduce(at::ones({1000}), Reduction::Sum, "norm")->wait();
}

void otherGroup(World &world) {
  world.createGroups(Mesh::nxd(1, 2, 1, world.size() / 2), {"tp", "dp"});
  world.group(world.rank() == 0 ? "tp" : "dp")
      .startAllReduce(at::ones({3}), Reduction::Sum)
      ->wait();
}

void exception(World &world) {
  makeWorldGroup(world);
  Group &tp = world.group("tp");
  tp.barrier();
  if (world.rank() == victim())
    throw std::runtime_error("no space left on device");
  tp.startAllReduce(at::ones({3}), Reduction::Sum, "norm")->wait();
}

void exitEarly(World &world) {
  makeWorldGroup(world);
  world.group("tp").barrier();
  if (world.rank() == victim())
    _exit(0);
  world.group("tp").barrier("after");
}

/// Alive, but not coming.
void late(World &world) {
  makeWorldGroup(world);
  world.status().setStep(2);
  world.group("tp").barrier("before");
  if (world.rank() == victim())
    sleepSeconds(1000);
  world.group("tp").barrier("after");
}

/// One rank saves, the others go on: each waits for what the other never does.
void loneSave(World &world) {
  makeWorldGroup(world);
  world.status().setStep(2);
  world.group("tp").barrier("before");
  if (world.rank() == victim()) {
    PhaseScope scope(world.status(), Phase::Saving);
    sleepSeconds(1000);
  }
  world.group("tp").barrier("after");
}

/// Longer than the timeout, but compiling.
void slowCompile(World &world) {
  std::string plan;
  if (world.rank() == 0) {
    PhaseScope scope(world.status(), Phase::Compiling);
    sleepSeconds(5);
    plan.assign(9 * 1024 * 1024, 'p');
    plan += "end";
  }
  plan = world.broadcastBytes(plan, "the plan");
  if (plan.size() != 9 * 1024 * 1024 + 3 ||
      plan.substr(plan.size() - 4) != "pend")
    throw std::runtime_error("the plan did not arrive whole");
  world.compareFingerprint(hashText(plan), "plan");
}

void fingerprint(World &world) {
  world.compareFingerprint(world.rank() == victim() ? 2 : 1, "plan");
}

/// Never waited for; finish() and destructors must cope.
void dangling(World &world) {
  makeWorldGroup(world);
  for (int i = 0; i < 5; ++i)
    world.group("tp").startAllReduce(at::ones({20000}), Reduction::Sum);
}

/// A rank leaves by its destructors, with collectives under way that can never
/// end; the others wait.
void destruct(World &world) {
  makeWorldGroup(world);
  world.group("tp").barrier();
  world.group("tp").startAllReduce(at::ones({3}), Reduction::Sum);
  if (world.rank() == victim())
    throw CommError("made up");
  world.group("tp").barrier();
  world.group("tp").barrier();
}

/// The median of a collective's time, in microseconds.
void latency(World &world) {
  makeWorldGroup(world);
  Group &tp = world.group("tp");
  for (int64_t elements : {1, 32, 33, 1024, 262144, 4194304}) {
    at::Tensor x = at::ones({elements});
    std::vector<double> times;
    int64_t count = elements > 100000 ? 10 : 300;
    for (int64_t i = 0; i < count; ++i) {
      auto begin = std::chrono::steady_clock::now();
      tp.startAllReduce(x, Reduction::Sum, "latency")->wait();
      times.push_back(std::chrono::duration<double, std::micro>(
                          std::chrono::steady_clock::now() - begin)
                          .count());
    }
    std::sort(times.begin(), times.end());
    if (world.rank() == 0)
      std::printf("all_reduce of %ld bytes: %.0f us\n",
                  static_cast<long>(elements * 4), times[times.size() / 2]);
  }
}

/// Ends on SIGTERM as a trainer does, after its step.
volatile std::sig_atomic_t terminated = 0;
void untilTerminated(World &world) {
  std::signal(SIGTERM, [](int) { terminated = 1; });
  makeWorldGroup(world);
  ready(world);
  for (int64_t step = 1;; ++step) {
    world.status().setStep(step);
    at::Tensor stop = at::full({1}, static_cast<double>(terminated));
    stop = world.group("tp").startAllReduce(stop, Reduction::Max)->wait();
    if (stop.item().toDouble() > 0)
      break;
    sleepSeconds(0.005);
  }
  std::printf("saved %ld\n", static_cast<long>(world.rank()));
}

} // namespace

int runRankProgram(const std::string &name) {
  const std::map<std::string, std::function<void(World &)>> programs = {
      {"collectives", collectives},
      {"spin", spin},
      {"computeForLong", computeForLong},
      {"mismatch", mismatch},
      {"otherGroup", otherGroup},
      {"exception", exception},
      {"exitEarly", exitEarly},
      {"late", late},
      {"slowCompile", slowCompile},
      {"loneSave", loneSave},
      {"fingerprint", fingerprint},
      {"dangling", dangling},
      {"latency", latency},
      {"untilTerminated", untilTerminated},
      {"destruct", destruct}};
  EnvironmentMap env = currentEnvironment();
  try {
    ProcessEnvironment process = readProcessEnvironment(env);
    std::printf("pid %ld %ld\n", static_cast<long>(process.rank),
                static_cast<long>(getpid()));
    std::printf("threads %s\n", env["OMP_NUM_THREADS"].c_str());
    std::fflush(stdout);
    if (process.rank == numberOf("NXDT_TEST_ABSENT", -1))
      sleepSeconds(1000);
    auto world = World::create(process, worldOptions(env));
    if (name == "destruct") {
      destruct(*world); // unwinds through ~World
    } else {
      try {
        programs.at(name)(*world);
        world->finish();
      } catch (const std::exception &e) {
        world->abort(e);
      }
    }
  } catch (const CommError &e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return kPeerFailureExitCode;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
  std::printf("ended well\n");
  return 0;
}

} // namespace nxdt::comm::test
