//===- Progress.cpp - what the user sees of a run -------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Log/Progress.h"

#include "nxdt/Support/Format.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nxdt::runtime {

namespace {

constexpr int64_t kBarCells = 20;
/// Redrawing more often only costs time.
constexpr double kRedrawS = 0.1;

double nowS() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool isTerminal(std::FILE *out) {
  const char *term = std::getenv("TERM");
  return ::isatty(::fileno(out)) && !(term && std::string(term) == "dumb");
}

size_t terminalColumns(std::FILE *out) {
  winsize size{};
  if (::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return 80;
}

std::string print(const char *format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

} // namespace

std::string stepLine(const StepMetrics &metrics, int64_t maxSteps) {
  std::string line = "step " + std::to_string(metrics.step);
  if (maxSteps >= 0)
    line += "/" + std::to_string(maxSteps);
  line += "  loss " + print("%.4f", metrics.loss);
  line += "  grad_norm " + print("%.3f", metrics.gradNorm);
  line += "  lr " + print("%.3g", metrics.lr);
  line += "  " + humanCount(metrics.tokensPerS) + " tokens/s";
  line += "  " + humanDuration(metrics.stepTimeS) + "/step";
  line += "  " + humanBytes(metrics.peakMemoryBytes);
  return line;
}

Progress::Progress(std::FILE *out, int64_t maxSteps, bool bar)
    : out(out), maxSteps(maxSteps), useBar(bar && isTerminal(out)) {}

Progress::~Progress() { finish(); }

void Progress::step(const StepMetrics &metrics) {
  if (!useBar) {
    std::fprintf(out, "%s\n", stepLine(metrics, maxSteps).c_str());
    std::fflush(out);
    return;
  }
  draw(metrics);
}

void Progress::draw(const StepMetrics &metrics) {
  std::string text = stepLine(metrics, maxSteps);
  if (maxSteps > 0) {
    int64_t done = std::clamp(metrics.step, int64_t{0}, maxSteps);
    auto cells = static_cast<size_t>(done * kBarCells / maxSteps);
    int64_t left = maxSteps - done;
    text = "[" + std::string(cells, '#') +
           std::string(static_cast<size_t>(kBarCells) - cells, '.') + "] " +
           text + "  " +
           humanDuration(metrics.stepTimeS * static_cast<double>(left)) +
           " left";
  }
  // A wrapped line could not be drawn over.
  text.resize(std::min(text.size(), terminalColumns(out) - 1));
  barText = text;
  double now = nowS();
  if (metrics.step != maxSteps && now - lastDrawS < kRedrawS)
    return;
  lastDrawS = now;
  std::fprintf(out, "\r%s\033[K", barText.c_str());
  std::fflush(out);
  drawn = true;
}

void Progress::clear() {
  if (!drawn)
    return;
  std::fprintf(out, "\r\033[K");
  drawn = false;
}

void Progress::message(const std::string &text) {
  bool again = drawn;
  clear();
  std::fprintf(out, "%s\n", text.c_str());
  if (again) {
    std::fprintf(out, "%s", barText.c_str());
    drawn = true;
  }
  std::fflush(out);
}

void Progress::eval(int64_t step, double valLoss) {
  message("step " + std::to_string(step) + "  val_loss " +
          print("%.4f", valLoss));
}

void Progress::finish() {
  if (!drawn)
    return;
  std::fprintf(out, "\r%s\033[K\n", barText.c_str());
  std::fflush(out);
  drawn = false;
}

} // namespace nxdt::runtime
