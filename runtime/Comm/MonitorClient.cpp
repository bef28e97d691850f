//===- MonitorClient.cpp - the other ranks' end of the monitor -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/MonitorCore.h"

#include <cstdio>
#include <poll.h>
#include <sstream>
#include <unistd.h>

namespace nxdt::comm {

namespace {

class Client final : public MonitorBase {
public:
  Client(const MonitorOptions &options, std::shared_ptr<RankContext> context,
         const std::string &address, int64_t port)
      : MonitorBase(options, std::move(context)), hubPort(port),
        connection(
            Connection::connectTo(address, port, options.arrivalTimeout_s)) {
    connection.send(kHello, std::to_string(options.rank) + " " +
                                std::to_string(getpid()) + " " + options.host);
    startThread();
  }
  ~Client() override { stopThread(); }

  int64_t port() const override { return hubPort; }

private:
  void round() override {
    pollfd wait{
        connection.fd(),
        static_cast<short>(POLLIN | (connection.hasOutput() ? POLLOUT : 0)), 0};
    if (connection.isOpen())
      poll(&wait, 1, kPollMs);
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    connection.flush();
    connection.receive();
    std::pair<char, std::string> message;
    while (connection.next(message)) {
      heard = Clock::now();
      handle(message.first, message.second);
    }
    if (context->failure.failed()) {
      if (!told)
        connection.send(kFailed, context->failure.message());
      told = true;
      return;
    }
    judgeHub();
    tellDone();
    if (secondsSince(lastBeat) >= beatSeconds(options.worldSize)) {
      lastBeat = Clock::now();
      connection.send(kBeat, encodeStatus(context->status.snapshot()));
    }
  }

  bool flushed() override { return told && !connection.hasOutput(); }

  void handle(char type, const std::string &text) {
    switch (type) {
    case kBeat:
      decodeStatus(text, hubStatus);
      return;
    case kFailed:
      told = true; // by whom it came
      context->failure.fail(text);
      return;
    case kArrived:
      handleArrival(text);
      return;
    case kDone: {
      std::lock_guard<std::mutex> lock(mutex);
      allFinished = true;
      changed.notify_all();
      return;
    }
    default:
      return;
    }
  }

  void handleArrival(const std::string &text) {
    std::istringstream in(text);
    std::string hubAddress, host;
    std::getline(in, hubAddress);
    std::vector<std::string> hosts;
    while (std::getline(in, host))
      hosts.push_back(host);
    std::string own = connection.localAddress();
    // On rank 0's host, its name may lead to the loopback, which other hosts
    // cannot reach.
    if (isLoopbackAddress(own) && !hosts.empty() && hosts[0] == options.host &&
        !hubAddress.empty())
      own = hubAddress;
    hubHost = hosts.empty() ? "" : hosts[0];
    context->hosts = std::move(hosts);
    std::lock_guard<std::mutex> lock(mutex);
    ownAddress = own;
    arrived = true;
    heard = Clock::now();
    changed.notify_all();
  }

  void judgeHub() {
    bool done, here;
    {
      std::lock_guard<std::mutex> lock(mutex);
      done = allFinished;
      here = arrived;
    }
    if (done)
      return;
    std::string hub =
        MonitorBase::nameOf(0, hubHost.empty() ? "unknown host" : hubHost, "");
    if (!connection.isOpen()) {
      context->failure.fail(hub + " died; it last reported: " + hubStatus.text);
      return;
    }
    bool slept = secondsSince(lastRound) > options.silence_s / 2;
    lastRound = Clock::now();
    if (slept || !here)
      heard = Clock::now();
    if (secondsSince(heard) <= options.silence_s)
      return;
    char seconds[32];
    std::snprintf(seconds, sizeof(seconds), "%.0f", options.silence_s);
    context->failure.fail(
        hub + " has given no sign of life for " + seconds +
        " s (stopped, or its host cannot be reached); it last reported: " +
        hubStatus.text);
  }

  void tellDone() {
    std::lock_guard<std::mutex> lock(mutex);
    if (!wantsFinish || toldDone)
      return;
    toldDone = true;
    connection.send(kBeat, encodeStatus(context->status.snapshot()));
    connection.send(kDone, "");
  }

  int64_t hubPort;
  Connection connection;
  StatusSnapshot hubStatus;
  std::string hubHost;
  Clock::time_point heard = Clock::now();
  Clock::time_point lastBeat;
  Clock::time_point lastRound = Clock::now();
  bool told = false;
  bool toldDone = false;
};

} // namespace

std::unique_ptr<Monitor> Monitor::client(const MonitorOptions &options,
                                         std::shared_ptr<RankContext> context,
                                         const std::string &address,
                                         int64_t port) {
  return std::make_unique<Client>(options, std::move(context), address, port);
}

} // namespace nxdt::comm
