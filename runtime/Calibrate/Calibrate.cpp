//===- Calibrate.cpp - measures a host -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Calibrate/Calibrate.h"
#include "runtime/Comm/Launcher.h"
#include "runtime/Train/Ranks.h"

#include "ATen/Parallel.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/add.h"
#include "ATen/ops/mm.h"
#include "ATen/ops/ones.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

namespace nxdt::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double medianOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// What little disturbs: other work on the host only adds.
double quickOf(std::vector<double> times_s) {
  std::sort(times_s.begin(), times_s.end());
  return times_s[times_s.size() / 10];
}

/// The tenth part of runs of 0.2 s together, 11 at least, is quicker; the first
/// does not count.
double quick_s(const std::function<void()> &work) {
  constexpr double kEnough_s = 0.2;
  work();
  std::vector<double> times_s;
  Clock::time_point start = Clock::now();
  while (times_s.size() < 11 || secondsSince(start) < kEnough_s) {
    Clock::time_point begin = Clock::now();
    work();
    times_s.push_back(secondsSince(begin));
  }
  return quickOf(times_s);
}

/// FLOP/s of products of matrices, the median of three sizes.
double matmulRate(at::ScalarType dtype) {
  std::vector<double> rates;
  for (int64_t n : {256, 512, 768}) {
    at::Tensor a = at::ones({n, n}, dtype), b = at::ones({n, n}, dtype);
    double time_s = quick_s([&] { at::mm(a, b); });
    rates.push_back(2.0 * double(n) * double(n) * double(n) / time_s);
  }
  return medianOf(rates);
}

/// Bytes per second read and written by sums of two tensors, the median of
/// three sizes as activations have.
double memoryRate() {
  std::vector<double> rates;
  for (int64_t elements : {1 << 18, 1 << 20, 1 << 22}) {
    at::Tensor a = at::ones({elements}), b = at::ones({elements});
    double time_s = quick_s([&] { at::add(a, b); });
    rates.push_back(3.0 * 4.0 * double(elements) / time_s);
  }
  return medianOf(rates);
}

double overhead_s() {
  constexpr int kCalls = 100;
  at::Tensor a = at::ones({8}), b = at::ones({8});
  return quick_s([&] {
           for (int i = 0; i < kCalls; ++i)
             at::add(a, b);
         }) /
         kCalls;
}

struct Rates {
  double f32 = 0, bf16 = 0, memory = 0, overhead_s = 0;
};

/// With `active` ranks at work at once: of the slowest.
Rates measure(Ranks &ranks, int64_t active, int64_t cores) {
  ranks.max({0}, "the start of a measurement");
  Rates rates;
  if (ranks.rank() < active) {
    at::set_num_threads(int(std::max<int64_t>(1, cores / active)));
    rates = {matmulRate(at::kFloat), matmulRate(at::kBFloat16), memoryRate(),
             overhead_s()};
  }
  // Largest of what others must wait for, in picoseconds per unit of 1000.
  auto slowest = [&](double rate) {
    int64_t cost = rate > 0 ? int64_t(1e18 / rate) : 0;
    return 1e18 / double(ranks.max({cost}, "a measured rate")[0]);
  };
  Rates all;
  all.f32 = slowest(rates.f32);
  all.bf16 = slowest(rates.bf16);
  all.memory = slowest(rates.memory);
  all.overhead_s = double(ranks.max({int64_t(rates.overhead_s * 1e12)},
                                    "a measured overhead")[0]) *
                   1e-12;
  return all;
}

struct Link {
  double latency_s = 0, bytesPerSecond = 0;
};

/// From a small and a large call of each kind, by the formulas of a ring.
Link measureLink(Ranks &ranks, comm::Group &group) {
  constexpr int64_t kSmall = 1 << 10, kLarge = 1 << 20; // elements
  double n = double(group.size());
  std::vector<double> latencies_s, rates;
  auto kind = [&](double steps, const std::function<void(at::Tensor)> &call) {
    auto measured_s = [&](int64_t elements) {
      at::Tensor tensor = at::ones({elements * group.size()});
      std::vector<double> times_s;
      call(tensor);
      for (int i = 0; i < 21; ++i) {
        ranks.max({0}, "the start of a measurement");
        Clock::time_point begin = Clock::now();
        call(tensor);
        times_s.push_back(secondsSince(begin));
      }
      return quickOf(times_s);
    };
    double small_s = measured_s(kSmall), large_s = measured_s(kLarge);
    double perElement_s =
        std::max(1e-13, (large_s - small_s) / double(kLarge - kSmall));
    // A step moves `elements` of 4 bytes.
    rates.push_back(steps * 4 / perElement_s);
    latencies_s.push_back(
        std::max(1e-7, (small_s - perElement_s * double(kSmall)) / steps));
  };
  kind(2 * (n - 1), [&](const at::Tensor &tensor) {
    group.startAllReduce(tensor, comm::Reduction::Sum, "calibration")->wait();
  });
  kind(n - 1, [&](const at::Tensor &tensor) {
    group.startReduceScatter(tensor, comm::Reduction::Sum, 0, "calibration")
        ->wait();
  });
  kind(n - 1, [&](const at::Tensor &tensor) {
    group
        .startAllGather(tensor.narrow(0, 0, tensor.size(0) / group.size()), 0,
                        "calibration")
        ->wait();
  });
  return {medianOf(latencies_s), medianOf(rates)};
}

} // namespace

int64_t calibrationRanks() {
  return std::clamp<int64_t>(comm::availableCores(), 2, 16);
}

std::string calibrate(comm::RankView &world, int64_t cores) {
  at::NoGradGuard noGrad;
  Ranks ranks(&world);
  std::string text;
  auto line = [&](const char *format, auto... values) {
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, format, values...);
    text += std::string(buffer) + "\n";
  };
  line("# Measured by nxdt-run --calibrate on %lld cores: what a rank gets "
       "with so many",
       static_cast<long long>(cores));
  line("# of them at work at once. The rates are those reached, so that the");
  line("# efficiency is 1.");
  line("ranks_per_node: %lld", static_cast<long long>(ranks.size()));
  line("devices:");
  for (int64_t active = 1; active <= ranks.size();
       active = active < ranks.size() ? std::min(2 * active, ranks.size())
                                      : active + 1) {
    Rates rates = measure(ranks, active, cores);
    line("  - ranks_per_node: %lld", static_cast<long long>(active));
    line("    f32_flops_per_s: %.3e", rates.f32);
    line("    bf16_flops_per_s: %.3e", rates.bf16);
    line("    efficiency: 1.0");
    line("    memory_bytes_per_s: %.3e", rates.memory);
    line("    overhead_s: %.3e", rates.overhead_s);
  }
  Link link = measureLink(ranks, world.group("dp"));
  line("intra_node:");
  line("  latency_s: %.3e", link.latency_s);
  line("  bytes_per_s: %.3e", link.bytesPerSecond);
  line("# Not measured, there is one node: the same.");
  line("inter_node:");
  line("  latency_s: %.3e", link.latency_s);
  line("  bytes_per_s: %.3e", link.bytesPerSecond);
  return text;
}

} // namespace nxdt::runtime
