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
#include <ATen/ops/zeros_like.h>

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

/// Neighbours in a ring of stages, both ways, many tensors each.
std::vector<ChannelSpec> ringOfChannels(int64_t stages, int64_t tensors) {
  std::vector<ChannelSpec> out;
  for (int64_t stage = 0; stage < stages; ++stage)
    for (int64_t i = 0; i < tensors; ++i) {
      int64_t next = (stage + 1) % stages;
      std::string name = std::to_string(stage) + "." + std::to_string(i);
      out.push_back({"h." + name, stage, next});
      out.push_back({"dh." + name, next, stage});
    }
  return out;
}

/// What is sent on a channel.
at::Tensor message(size_t channel, int64_t micro) {
  int64_t elements = channel % 3 == 0 ? 5 : 20000;
  return at::full({elements}, static_cast<double>(100 * channel + micro));
}

/// All channels at once, started and waited for in other orders at both ends.
void channels(World &world) {
  int64_t stages = world.size() / 2;
  std::vector<ChannelSpec> specs =
      ringOfChannels(stages, numberOf("NXDT_TEST_COUNT", 3));
  auto begin = std::chrono::steady_clock::now();
  world.createGroups(Mesh::nxd(stages, 1, 1, 2), {"tp"}, specs);
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count();
  std::printf("%zu channels connected in %.3f s\n", specs.size(), seconds);
  int64_t stage = world.rank() / 2;
  std::vector<std::pair<WorkPtr, at::Tensor>> works;
  for (size_t i = 0; i < specs.size(); ++i) {
    size_t index = stage % 2 ? i : specs.size() - 1 - i;
    const ChannelSpec &spec = specs[index];
    for (int64_t micro = 0; micro < 3; ++micro) {
      at::Tensor expected = message(index, micro);
      if (spec.from == stage)
        works.push_back(
            {startSend(world.channel(spec.name), expected, "test"), expected});
      if (spec.to == stage)
        works.push_back({startReceive(world.channel(spec.name),
                                      at::zeros_like(expected), "test"),
                         expected});
    }
  }
  for (size_t i = works.size(); i-- > 0;)
    if (!works[i].first->wait().equal(works[i].second))
      throw std::runtime_error("received something else");
  std::printf("all %zu arrived\n", works.size());
}

/// A stage hands on to the next one, for ever.
void spinChannels(World &world) {
  int64_t last = world.size() - 1;
  std::vector<ChannelSpec> specs;
  for (int64_t stage = 0; stage < last; ++stage)
    specs.push_back({"h." + std::to_string(stage), stage, stage + 1});
  world.createGroups(Mesh::nxd(world.size(), 1, 1, 1), {"pp"}, specs);
  at::Tensor h = at::ones({5000});
  for (int64_t step = 1;; ++step) {
    world.status().setStep(step);
    if (world.rank() > 0)
      h = startReceive(world.channel(specs[world.rank() - 1].name), h, "test")
              ->wait();
    sleepSeconds(0.005);
    if (world.rank() < last)
      startSend(world.channel(specs[world.rank()].name), h, "test")->wait();
    if (step == 100)
      ready(world);
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
      {"channels", channels},
      {"spinChannels", spinChannels},
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
