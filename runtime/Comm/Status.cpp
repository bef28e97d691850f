//===- Status.cpp - what a rank is doing, for those who miss it -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Status.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <sys/stat.h>

namespace nxdt::comm {

std::string_view name(Phase phase) {
  constexpr std::string_view names[] = {"starting", "compiling", "loading",
                                        "running",  "saving",    "finished"};
  size_t index = static_cast<size_t>(phase);
  return index < std::size(names) ? names[index] : "?";
}

bool isExempt(Phase phase) {
  return phase == Phase::Compiling || phase == Phase::Loading ||
         phase == Phase::Saving;
}

RankStatus::~RankStatus() {
  if (mapping)
    munmap(mapping, mappingBytes);
}

std::string RankStatus::textLocked() const {
  std::string text;
  if (phase != Phase::Running)
    text = std::string(name(phase)) + ", ";
  text += "step " + std::to_string(currentStep);
  if (waiters > 0)
    return text + ", waiting for " + awaited;
  if (!last.empty())
    return text + ", computing after the start of " + last;
  return text + ", before its first collective";
}

void RankStatus::changedLocked() {
  ++progress;
  if (!page)
    return;
  std::string text = textLocked();
  size_t n = std::min<size_t>(text.size(), kStatusBytes - 1);
  // A reader comes after this process's death; a torn text is better than none.
  std::memcpy(page, text.data(), n);
  page[n] = '\0';
}

void RankStatus::setStep(int64_t step) {
  std::lock_guard<std::mutex> lock(mutex);
  currentStep = step;
  changedLocked();
}

void RankStatus::setPhase(Phase newPhase) {
  std::lock_guard<std::mutex> lock(mutex);
  phase = newPhase;
  changedLocked();
}

void RankStatus::started(const std::string &what) {
  std::lock_guard<std::mutex> lock(mutex);
  last = what;
  changedLocked();
}

void RankStatus::waitBegins(const std::string &what) {
  std::lock_guard<std::mutex> lock(mutex);
  ++waiters;
  awaited = what;
  changedLocked();
}

void RankStatus::waitEnds() {
  std::lock_guard<std::mutex> lock(mutex);
  --waiters;
  changedLocked();
}

void RankStatus::dataBegins() {
  std::lock_guard<std::mutex> lock(mutex);
  ++transfers;
  ++progress;
}

void RankStatus::dataEnds() {
  std::lock_guard<std::mutex> lock(mutex);
  --transfers;
  ++progress;
}

int64_t RankStatus::step() const {
  std::lock_guard<std::mutex> lock(mutex);
  return currentStep;
}

StatusSnapshot RankStatus::snapshot() const {
  std::lock_guard<std::mutex> lock(mutex);
  return {phase,
          currentStep,
          progress,
          waiters > 0,
          waiters > 0 && transfers == 0,
          textLocked()};
}

void RankStatus::mirrorTo(int fd, int64_t localRank) {
  struct stat info;
  int64_t end = (localRank + 1) * kStatusBytes;
  if (localRank < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_size < end)
    return;
  void *address = mmap(nullptr, end, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED)
    return;
  std::lock_guard<std::mutex> lock(mutex);
  if (mapping)
    munmap(mapping, mappingBytes);
  mapping = address;
  mappingBytes = end;
  page = static_cast<char *>(address) + localRank * kStatusBytes;
  changedLocked();
}

} // namespace nxdt::comm
