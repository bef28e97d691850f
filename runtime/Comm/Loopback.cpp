//===- Loopback.cpp - all ranks of a mesh in one process -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/Loopback.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Comm/Bytes.h"
#include "runtime/Comm/GroupTable.h"
#include "runtime/Comm/StuckDetector.h"

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>

namespace nxdt::comm {

namespace {

/// Mailboxes between the members of one group.
struct Mailboxes {
  explicit Mailboxes(int64_t size) : size(size), boxes(size * size) {}
  int64_t size;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::deque<std::vector<char>>> boxes; ///< [from * size + to]
};

class LoopbackTransport final : public Transport {
public:
  LoopbackTransport(std::shared_ptr<Mailboxes> boxes, int64_t index,
                    std::shared_ptr<RankContext> context)
      : shared(std::move(boxes)), index(index), context(std::move(context)) {}

  void exchange(const std::vector<SendSpan> &sends,
                const std::vector<ReceiveSpan> &receives) override {
    int64_t n = shared->size;
    for (int64_t j = 0; j < n; ++j) {
      if (j == index || sends[j].bytes == 0)
        continue;
      const char *data = static_cast<const char *>(sends[j].data);
      std::vector<char> message(data, data + sends[j].bytes);
      std::lock_guard<std::mutex> lock(shared->mutex);
      shared->boxes[index * n + j].push_back(std::move(message));
    }
    shared->changed.notify_all();
    for (int64_t j = 0; j < n; ++j)
      if (j != index && receives[j].bytes > 0)
        receive(shared->boxes[j * n + index], receives[j]);
  }

private:
  void receive(std::deque<std::vector<char>> &box, const ReceiveSpan &span) {
    std::vector<char> message;
    {
      std::unique_lock<std::mutex> lock(shared->mutex);
      while (box.empty()) {
        context->failure.check();
        shared->changed.wait_for(lock, std::chrono::milliseconds(20));
      }
      message = std::move(box.front());
      box.pop_front();
    }
    if (message.size() != span.bytes)
      throw std::runtime_error("received " + std::to_string(message.size()) +
                               " bytes instead of " +
                               std::to_string(span.bytes));
    copyBytes(span.data, message.data(), span.bytes);
  }

  std::shared_ptr<Mailboxes> shared;
  int64_t index;
  std::shared_ptr<RankContext> context;
};

} // namespace

class LoopbackWorld::Rank final : public RankView {
public:
  Rank(int64_t rank, const Mesh &mesh) : worldMesh(mesh) {
    context = std::make_shared<RankContext>();
    context->rank = rank;
    context->status.setPhase(Phase::Running);
  }

  int64_t rank() const override { return context->rank; }
  int64_t size() const override { return worldMesh.size(); }
  const Mesh &mesh() const override { return worldMesh; }
  RankStatus &status() override { return context->status; }
  Group &group(const std::string &spec) override {
    return groups.find(worldMesh, spec);
  }
  Group &channel(const std::string &name) override {
    return groups.findChannel(name);
  }

  std::shared_ptr<RankContext> context;
  GroupTable groups;

private:
  const Mesh &worldMesh;
};

LoopbackWorld::LoopbackWorld(Mesh mesh, const std::vector<std::string> &specs,
                             const CommOptions &options,
                             const std::vector<ChannelSpec> &channels)
    : worldMesh(std::move(mesh)) {
  for (int64_t r = 0; r < worldMesh.size(); ++r)
    ranks.push_back(std::make_unique<Rank>(r, worldMesh));
  auto add = [&](const std::string &name, auto membersOf) {
    std::map<std::vector<int64_t>, std::shared_ptr<Mailboxes>> byMembers;
    for (auto &rank : ranks) {
      std::vector<int64_t> members = membersOf(rank->rank());
      if (members.empty())
        continue;
      std::unique_ptr<Transport> transport;
      if (members.size() > 1) {
        auto &boxes = byMembers[members];
        if (!boxes)
          boxes = std::make_shared<Mailboxes>(members.size());
        transport = std::make_unique<LoopbackTransport>(
            boxes, indexOf(members, rank->rank()), rank->context);
      }
      rank->groups.add(name, makeHostGroup(name, members, rank->context,
                                           std::move(transport), options));
    }
  };
  for (const NamedSpec &named : canonicalSpecs(worldMesh, specs))
    add(named.name,
        [&](int64_t rank) { return groupRanks(worldMesh, named.spec, rank); });
  for (const ChannelSpec &channel : canonicalChannels(worldMesh, channels))
    add(channelGroupName(channel.name),
        [&](int64_t rank) { return channelRanks(worldMesh, channel, rank); });
}

LoopbackWorld::~LoopbackWorld() = default;

int64_t LoopbackWorld::size() const {
  return static_cast<int64_t>(ranks.size());
}

RankView &LoopbackWorld::rank(int64_t rank) { return *ranks.at(rank); }

void LoopbackWorld::watch(const std::function<bool()> &ended) {
  StuckDetector detector(kStuckSeconds);
  while (!ended()) {
    auto now = StuckDetector::Clock::now();
    std::vector<StatusSnapshot> snapshots;
    for (auto &rank : ranks)
      snapshots.push_back(rank->context->status.snapshot());
    std::string message = detector.observe(snapshots, now, {});
    if (!message.empty())
      for (auto &rank : ranks)
        rank->context->failure.fail(message);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

void LoopbackWorld::run(const std::function<void(RankView &)> &program) {
  std::mutex mutex;
  std::exception_ptr first;
  std::atomic<int64_t> running{size()};
  std::vector<std::thread> threads;
  for (auto &rank : ranks)
    threads.emplace_back([&, rank = rank.get()] {
      rank->context->status.setPhase(Phase::Running);
      try {
        program(*rank);
      } catch (const std::exception &e) {
        {
          std::lock_guard<std::mutex> lock(mutex);
          if (!first)
            first = std::current_exception();
        }
        // CommError already is the message of all ranks.
        bool isShared = dynamic_cast<const CommError *>(&e) != nullptr;
        std::string message = isShared
                                  ? e.what()
                                  : "rank " + std::to_string(rank->rank()) +
                                        " failed: " + e.what();
        for (auto &other : ranks)
          other->context->failure.fail(message);
      }
      rank->context->status.setPhase(Phase::Finished);
      --running;
    });
  watch([&] { return running.load() == 0; });
  for (std::thread &thread : threads)
    thread.join();
  if (first)
    std::rethrow_exception(first);
}

} // namespace nxdt::comm
