//===- GlooTransport.cpp - c10d's Gloo between processes -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only file that sees Gloo's names (GlooDeclarations/ says how). It makes
// no object of a Gloo type and derives from none.
//
//===----------------------------------------------------------------------===//
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "runtime/Comm/GlooTransport.h"

#include <ATen/ops/from_blob.h>

namespace nxdt::comm {

class GlooDevice {
public:
  std::shared_ptr<::gloo::transport::Device> device;
};

namespace {

/// Nobody waits this long: the monitor ends the process long before.
constexpr std::chrono::hours kNever{24 * 365};

class GlooTransport final : public Transport {
public:
  GlooTransport(c10::intrusive_ptr<c10d::ProcessGroupGloo> group, int64_t index)
      : group(std::move(group)), index(index) {}

  void exchange(const std::vector<SendSpan> &sends,
                const std::vector<ReceiveSpan> &receives) override {
    // One communicator per group, one thread on it, tags in order: a message
    // can only meet its own receive.
    tag = (tag + 1) & 0x3fffffff;
    std::vector<c10::intrusive_ptr<c10d::Work>> works;
    int64_t n = static_cast<int64_t>(sends.size());
    works.reserve(2 * n);
    // Round-robin from the next member on: not all at the same one at once.
    for (int64_t k = 1; k < n; ++k) {
      int64_t from = (index - k + n) % n;
      if (receives[from].bytes == 0)
        continue;
      std::vector<at::Tensor> tensors{
          bytesAt(receives[from].data, receives[from].bytes)};
      works.push_back(group->recv(tensors, static_cast<int>(from), tag));
    }
    for (int64_t k = 1; k < n; ++k) {
      int64_t to = (index + k) % n;
      if (sends[to].bytes == 0)
        continue;
      std::vector<at::Tensor> tensors{
          bytesAt(const_cast<void *>(sends[to].data), sends[to].bytes)};
      works.push_back(group->send(tensors, static_cast<int>(to), tag));
    }
    for (auto &work : works)
      work->wait();
  }

private:
  static at::Tensor bytesAt(void *data, size_t bytes) {
    return at::from_blob(data, {static_cast<int64_t>(bytes)},
                         at::TensorOptions().dtype(at::kByte));
  }

  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
  int64_t index;
  int tag = 0;
};

} // namespace

std::shared_ptr<GlooDevice> makeGlooDevice(const std::string &address,
                                           const std::string &interface) {
  auto result = std::make_shared<GlooDevice>();
  result->device =
      interface.empty()
          ? c10d::ProcessGroupGloo::createDeviceForHostname(address)
          : c10d::ProcessGroupGloo::createDeviceForInterface(interface);
  return result;
}

std::unique_ptr<Transport>
makeGlooTransport(const c10::intrusive_ptr<c10d::Store> &store,
                  const std::string &prefix, int64_t index, int64_t size,
                  const GlooDevice &device) {
  auto options = c10::make_intrusive<c10d::ProcessGroupGloo::Options>(kNever);
  options->devices.push_back(device.device);
  options->threads = 1; // sends and receives do not use them
  auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>(prefix, store),
      static_cast<int>(index), static_cast<int>(size), options);
  return std::make_unique<GlooTransport>(std::move(group), index);
}

} // namespace nxdt::comm
