//===- MonitorHub.cpp - rank 0's end of the monitor -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/MonitorCore.h"
#include "runtime/Comm/StuckDetector.h"

#include <cstdio>
#include <optional>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

namespace nxdt::comm {

namespace {

/// A peer that takes nothing gets no more beats.
constexpr size_t kMaxPendingBytes = 64 * 1024;

struct Peer {
  std::optional<Connection> connection;
  std::string host;
  std::string pid;
  StatusSnapshot status;
  Clock::time_point statusAt = Clock::now(); ///< when `status` came
  Clock::time_point heard = Clock::now();
  bool finished = false;
  double idle_s = 0;   ///< waiting without progress, exempt phases left out
  double exempt_s = 0; ///< in an exempt phase without progress
  uint64_t idleProgress = 0;
};

class Hub final : public MonitorBase {
public:
  Hub(const MonitorOptions &options, std::shared_ptr<RankContext> context)
      : MonitorBase(options, std::move(context)), peers(options.worldSize),
        detector(options.stuck_s) {
    peers[0].host = options.host;
    peers[0].pid = std::to_string(getpid());
    startThread();
  }
  ~Hub() override { stopThread(); }

  int64_t port() const override { return listener.port(); }

private:
  void round() override {
    pollSockets();
    peers[0].status = context->status.snapshot();
    peers[0].heard = peers[0].statusAt = Clock::now();
    if (context->failure.failed()) {
      tellFailure();
      return;
    }
    if (!everyoneArrived) {
      judgeArrival();
      return;
    }
    judgeSilence();
    judgeProgress();
    judgeEnd();
    if (secondsSince(lastBeat) >= beatSeconds(options.worldSize)) {
      lastBeat = Clock::now();
      std::string beat = encodeStatus(peers[0].status);
      broadcast(kBeat, beat, kMaxPendingBytes);
    }
  }

  bool flushed() override {
    if (!told)
      return false;
    for (Peer &peer : peers)
      if (peer.connection && peer.connection->isOpen() &&
          peer.connection->hasOutput())
        return false;
    return true;
  }

  std::string nameOf(int64_t rank) const {
    return MonitorBase::nameOf(rank, peers[rank].host, peers[rank].pid);
  }

  std::vector<std::string> hosts() const {
    std::vector<std::string> result;
    for (const Peer &peer : peers)
      result.push_back(peer.host);
    return result;
  }

  void broadcast(char type, const std::string &text, size_t limitBytes) {
    for (Peer &peer : peers)
      if (peer.connection && peer.connection->pendingBytes() < limitBytes)
        peer.connection->send(type, text);
  }

  void fail(const std::string &message) { context->failure.fail(message); }

  void tellFailure() {
    if (!told)
      broadcast(kFailed, context->failure.message(), SIZE_MAX);
    told = true;
    for (Connection &c : strangers)
      c.send(kFailed, context->failure.message());
    strangers.clear();
  }

  void pollSockets() {
    std::vector<pollfd> waits{{listener.fd(), POLLIN, 0}};
    auto add = [&](Connection &c) {
      if (c.isOpen())
        waits.push_back(
            {c.fd(), static_cast<short>(POLLIN | (c.hasOutput() ? POLLOUT : 0)),
             0});
    };
    for (Peer &peer : peers)
      if (peer.connection)
        add(*peer.connection);
    for (Connection &stranger : strangers)
      add(stranger);
    poll(waits.data(), waits.size(), kPollMs);
    int fd;
    while ((fd = accept(listener.fd(), nullptr, nullptr)) >= 0)
      strangers.emplace_back(fd);
    greetStrangers();
    for (size_t r = 1; r < peers.size(); ++r)
      if (peers[r].connection)
        listenTo(static_cast<int64_t>(r));
  }

  void greetStrangers() {
    std::vector<Connection> still;
    for (Connection &stranger : strangers) {
      stranger.receive();
      std::pair<char, std::string> message;
      if (!stranger.next(message)) {
        if (stranger.isOpen())
          still.push_back(std::move(stranger));
        continue;
      }
      std::istringstream in(message.second);
      int64_t rank = -1;
      std::string pid, host;
      in >> rank >> pid >> host;
      // Port scanners and the like: not ours, not worth an end.
      if (message.first != kHello || rank < 1 || rank >= options.worldSize)
        continue;
      Peer &peer = peers[rank];
      if (peer.connection) {
        fail("two processes say they are rank " + std::to_string(rank) + ": " +
             nameOf(rank) + " and pid " + pid + " on " + host);
        still.push_back(std::move(stranger));
        continue;
      }
      peer.connection.emplace(std::move(stranger));
      peer.host = host;
      peer.pid = pid;
      peer.heard = Clock::now();
    }
    strangers.clear();
    for (Connection &c : still)
      strangers.push_back(std::move(c));
  }

  void listenTo(int64_t rank) {
    Peer &peer = peers[rank];
    peer.connection->flush();
    peer.connection->receive();
    std::pair<char, std::string> message;
    while (peer.connection->next(message)) {
      peer.heard = Clock::now();
      if (message.first == kBeat && decodeStatus(message.second, peer.status))
        peer.statusAt = Clock::now();
      else if (message.first == kFailed)
        fail(message.second);
      else if (message.first == kDone)
        peer.finished = true;
    }
    if (peer.connection->isOpen() || peer.finished)
      return;
    fail(nameOf(rank) + " died; it last reported: " + peer.status.text);
  }

  void judgeArrival() {
    std::string missing;
    int64_t count = 0;
    for (size_t r = 1; r < peers.size(); ++r) {
      if (peers[r].connection)
        continue;
      if (++count <= 8)
        missing += (count == 1 ? "" : ", ") + std::to_string(r);
    }
    if (count > 0) {
      if (secondsSince(began) > options.arrivalTimeout_s)
        fail("rank " + missing + (count > 8 ? ", ..." : "") + " of " +
             std::to_string(options.worldSize) + " did not arrive within " +
             std::to_string(static_cast<int64_t>(options.arrivalTimeout_s)) +
             " s");
      return;
    }
    everyoneArrived = true;
    // The way other hosts come in is the way they reach this one.
    std::string address;
    for (Peer &peer : peers) {
      if (!peer.connection)
        continue;
      std::string local = peer.connection->localAddress();
      if (address.empty() || !isLoopbackAddress(local))
        address = local;
    }
    std::string text = address;
    for (const Peer &peer : peers)
      text += "\n" + peer.host;
    broadcast(kArrived, text, SIZE_MAX);
    context->hosts = hosts();
    for (Peer &peer : peers)
      peer.heard = Clock::now();
    std::lock_guard<std::mutex> lock(mutex);
    ownAddress = address;
    arrived = true;
    changed.notify_all();
  }

  void judgeSilence() {
    // If this process itself was stopped, what arrived meanwhile comes first.
    bool slept = secondsSince(lastRound) > options.silence_s / 2;
    lastRound = Clock::now();
    if (slept)
      for (Peer &peer : peers)
        peer.heard = Clock::now();
    for (size_t r = 1; r < peers.size(); ++r) {
      Peer &peer = peers[r];
      if (peer.finished || secondsSince(peer.heard) <= options.silence_s)
        continue;
      char seconds[32];
      std::snprintf(seconds, sizeof(seconds), "%.0f", options.silence_s);
      fail(nameOf(static_cast<int64_t>(r)) + " has given no sign of life for " +
           seconds +
           " s (stopped, or its host cannot be reached); it last reported: " +
           peer.status.text);
      return;
    }
  }

  void judgeProgress() {
    std::vector<StatusSnapshot> all;
    bool exempt = false;
    Clock::time_point oldest = Clock::now();
    for (Peer &peer : peers) {
      all.push_back(peer.status);
      if (peer.status.phase != Phase::Finished)
        oldest = std::min(oldest, peer.statusAt);
      exempt = exempt || isExempt(peer.status.phase);
    }
    double elapsed_s = secondsSince(lastJudged);
    lastJudged = Clock::now();
    if (!exempt) {
      std::string stuck = detector.observe(all, oldest, hosts());
      if (!stuck.empty())
        return fail(stuck);
    }
    if (judgeExempt(all, elapsed_s))
      return;
    bool overdue = false;
    for (Peer &peer : peers) {
      bool idle = peer.status.waiting &&
                  peer.status.progress == peer.idleProgress && !exempt;
      peer.idle_s = idle ? peer.idle_s + elapsed_s : 0;
      peer.idleProgress = peer.status.progress;
      overdue = overdue || peer.idle_s > options.progressTimeout_s;
    }
    if (!overdue)
      return;
    std::vector<int64_t> late, waiting;
    for (size_t r = 0; r < peers.size(); ++r) {
      if (peers[r].status.phase == Phase::Finished)
        continue;
      (peers[r].status.waiting ? waiting : late)
          .push_back(static_cast<int64_t>(r));
    }
    char limit[32];
    std::snprintf(limit, sizeof(limit), "%g", options.progressTimeout_s);
    std::string text =
        "no progress for " + std::string(limit) + " s (NXDT_COMM_TIMEOUT_S); ";
    if (!late.empty())
      text += "the others wait for " + listRanks(late, all, hosts()) + "; ";
    fail(text + "waiting: " + listRanks(waiting, all, hosts()));
  }

  /// Ranks that do not all save, or a save that hangs, must not last for ever.
  bool judgeExempt(const std::vector<StatusSnapshot> &all, double elapsed_s) {
    std::vector<int64_t> overdue, others;
    for (size_t r = 0; r < peers.size(); ++r) {
      Peer &peer = peers[r];
      bool idle = isExempt(peer.status.phase) &&
                  peer.status.progress == peer.idleProgress;
      peer.exempt_s = idle ? peer.exempt_s + elapsed_s : 0;
      if (peer.exempt_s > options.exemptTimeout_s)
        overdue.push_back(static_cast<int64_t>(r));
      else if (peer.status.phase != Phase::Finished)
        others.push_back(static_cast<int64_t>(r));
    }
    if (overdue.empty())
      return false;
    char limit[32];
    std::snprintf(limit, sizeof(limit), "%g", options.exemptTimeout_s);
    std::string text = "no progress while compiling, loading or saving for " +
                       std::string(limit) + " s (NXDT_COMM_SAVE_TIMEOUT_S): " +
                       listRanks(overdue, all, hosts());
    if (!others.empty())
      text += "; the others: " + listRanks(others, all, hosts());
    fail(text);
    return true;
  }

  void judgeEnd() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (allFinished || !wantsFinish)
        return;
    }
    for (size_t r = 1; r < peers.size(); ++r)
      if (!peers[r].finished)
        return;
    broadcast(kDone, "", SIZE_MAX);
    for (int tries = 0; tries < 100; ++tries) {
      bool pending = false;
      for (Peer &peer : peers) {
        if (!peer.connection)
          continue;
        peer.connection->flush();
        pending = pending || peer.connection->hasOutput();
      }
      if (!pending)
        break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::lock_guard<std::mutex> lock(mutex);
    allFinished = true;
    changed.notify_all();
  }

  Listener listener;
  std::vector<Peer> peers;
  std::vector<Connection> strangers;
  StuckDetector detector;
  Clock::time_point began = Clock::now();
  Clock::time_point lastBeat;
  Clock::time_point lastRound = Clock::now();
  Clock::time_point lastJudged = Clock::now();
  bool everyoneArrived = false;
  bool told = false;
};

} // namespace

std::unique_ptr<Monitor> Monitor::hub(const MonitorOptions &options,
                                      std::shared_ptr<RankContext> context) {
  return std::make_unique<Hub>(options, std::move(context));
}

} // namespace nxdt::comm
