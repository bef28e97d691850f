//===- Failure.cpp - what ends a distributed run -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Failure.h"

#include "runtime/Comm/Status.h"

#include <cstdlib>

namespace nxdt::comm {

bool isToldByPeer(const std::string &message) {
  return std::getenv(kStatusFdVariable) && message.starts_with("rank ") &&
         message.find(kFailedBySelf) != std::string::npos;
}

void FailureState::fail(const std::string &message) {
  std::vector<std::function<void()>> toCall;
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (isFailed.load(std::memory_order_relaxed))
      return;
    text = message;
    isFailed.store(true, std::memory_order_release);
    toCall.swap(callbacks);
  }
  for (auto &callback : toCall)
    callback();
}

std::string FailureState::message() const {
  std::lock_guard<std::mutex> lock(mutex);
  return text;
}

void FailureState::check() const {
  if (failed())
    throw CommError(message());
}

void FailureState::onFailure(std::function<void()> callback) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!isFailed.load(std::memory_order_relaxed)) {
      callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

} // namespace nxdt::comm
