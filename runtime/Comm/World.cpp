//===- World.cpp - this process among the ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/World.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Comm/GlooTransport.h"
#include "runtime/Comm/Launcher.h"

#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <unistd.h>

namespace nxdt::comm {

/// The store refuses values above 8 MiB.
constexpr size_t kStoreChunkBytes = 4 * 1024 * 1024;

static double parseSeconds(const std::string &name, const std::string &text,
                           const std::string &fallback) {
  char *end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0) || value > 1e9)
    throw UserError(name + "='" + text +
                    "' is not a number of seconds above 0 (default " +
                    fallback + ")");
  return value;
}

WorldOptions worldOptions(const EnvironmentMap &env) {
  WorldOptions options;
  if (auto it = env.find("NXDT_COMM_TIMEOUT_S"); it != env.end())
    options.timeout_s = parseSeconds(it->first, it->second, "600");
  if (auto it = env.find("NXDT_COMM_SAVE_TIMEOUT_S"); it != env.end())
    options.saveTimeout_s = parseSeconds(it->first, it->second, "1800");
  if (auto it = env.find("NXDT_COMM_CHECK_EVERY"); it != env.end()) {
    const std::string &text = it->second;
    if (text.empty() || text.size() > 9 ||
        text.find_first_not_of("0123456789") != std::string::npos)
      throw UserError("NXDT_COMM_CHECK_EVERY='" + text +
                      "' is not a number: 1 compares every collective among "
                      "its ranks, n every n-th, 0 barriers only");
    options.comm.checkEvery = std::stoll(text);
  }
  return options;
}

static std::string hostName() {
  char name[256] = "unknown";
  gethostname(name, sizeof(name) - 1);
  return name;
}

World::World(const ProcessEnvironment &process, const WorldOptions &options)
    : process(process), options(options),
      context(std::make_shared<RankContext>()) {
  context->rank = process.rank;
}

std::unique_ptr<World> World::create(const ProcessEnvironment &process,
                                     const WorldOptions &options) {
  if (options.device != "cpu")
    throw UserError("collectives on device '" + options.device +
                    "' are not built: this version has Gloo on the CPU only "
                    "(device: cpu)");
  std::unique_ptr<World> world(new World(process, options));
  if (const char *fd = std::getenv(kStatusFdVariable))
    world->context->status.mirrorTo(std::atoi(fd), process.localRank);
  if (process.worldSize > 1)
    world->connect();
  else
    world->context->hosts = {hostName()};
  world->context->status.setPhase(Phase::Running);
  return world;
}

namespace {

/// Ends the process if the store does not answer (a rank 0 that accepts and
/// says nothing): its client has no timeout there, and no monitor runs yet.
class ConnectWatchdog {
public:
  ConnectWatchdog(double timeout_s, const std::string &message)
      : thread([this, timeout_s, message] {
          std::unique_lock<std::mutex> lock(mutex);
          if (changed.wait_for(lock, std::chrono::duration<double>(timeout_s),
                               [this] { return done; }))
            return;
          std::fprintf(stderr, "error: %s\n", message.c_str());
          std::fflush(stderr);
          _exit(kPeerFailureExitCode);
        }) {}
  ~ConnectWatchdog() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      done = true;
    }
    changed.notify_all();
    thread.join();
  }

private:
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread thread;
};

} // namespace

/// A peer that is gone must be an error of the write, not this process's silent
/// end. A handler that somebody set stays.
static void ignoreBrokenPipes() {
  struct sigaction action {};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 &&
      !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL)
    std::signal(SIGPIPE, SIG_IGN);
}

void World::connect() {
  using std::chrono::milliseconds;
  ignoreBrokenPipes();
  // c10d tells of a lost connection with a stack trace, beside our own line.
  if (!std::getenv("TORCH_CPP_LOG_LEVEL"))
    FLAGS_caffe2_log_level = std::max<int>(FLAGS_caffe2_log_level, 2);
  c10d::TCPStoreOptions storeOptions;
  storeOptions.port = static_cast<uint16_t>(process.masterPort);
  storeOptions.isServer = process.rank == 0 && !process.agentServesStore;
  storeOptions.waitWorkers = false;
  storeOptions.timeout =
      milliseconds(static_cast<int64_t>(options.timeout_s * 1000));
  // The store's own timeout, which has a better message, comes first.
  auto watchdog = std::make_unique<ConnectWatchdog>(
      options.timeout_s + 3,
      "rank " + std::to_string(process.rank) + " (" + hostName() +
          ") gets no answer from the store of rank 0 at " +
          process.masterAddress + ":" + std::to_string(process.masterPort));
  const char *listenFd = std::getenv(kMasterFdVariable);
  if (storeOptions.isServer && listenFd)
    storeOptions.masterListenFd = std::atoi(listenFd);
  try {
    store = c10::make_intrusive<c10d::PrefixStore>(
        process.storePrefix, c10::make_intrusive<c10d::TCPStore>(
                                 process.masterAddress, storeOptions));
  } catch (const std::exception &e) {
    std::string text(e.what());
    throw CommError(
        "rank " + std::to_string(process.rank) + " (" + hostName() +
        ") cannot " + (storeOptions.isServer ? "serve" : "reach") +
        " the store at " + process.masterAddress + ":" +
        std::to_string(process.masterPort) +
        " (MASTER_ADDR, MASTER_PORT): " + text.substr(0, text.find('\n')));
  }

  MonitorOptions monitorOptions;
  monitorOptions.rank = process.rank;
  monitorOptions.worldSize = process.worldSize;
  monitorOptions.host = hostName();
  monitorOptions.progressTimeout_s = options.timeout_s;
  monitorOptions.exemptTimeout_s = options.saveTimeout_s;
  monitorOptions.arrivalTimeout_s = options.timeout_s;
  monitorOptions.silence_s = options.silence_s;
  monitorOptions.grace_s = options.grace_s;
  if (process.rank == 0) {
    monitor = Monitor::hub(monitorOptions, context);
    store->set("monitor", std::to_string(monitor->port()));
  } else {
    awaitKeys({"monitor"}, "rank 0");
    monitor = Monitor::client(monitorOptions, context, process.masterAddress,
                              std::stoll(store->get_to_str("monitor")));
  }
  watchdog.reset();
  monitor->awaitArrival();
  const char *interface = std::getenv("GLOO_SOCKET_IFNAME");
  device = makeGlooDevice(monitor->address(), interface ? interface : "");
}

/// The store ends with rank 0. Why that has ended says the monitor, and better.
template <typename Ask> auto World::atStore(Ask ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const std::exception &e) {
    for (int i = 0; i < 150 && !context->failure.failed(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    context->failure.check();
    std::string text(e.what());
    throw CommError(
        "rank " + std::to_string(rank()) + " (" + hostName() +
        ") has lost the store of rank 0: " + text.substr(0, text.find('\n')));
  }
}

/// Polls, so that a failure elsewhere ends the wait.
void World::awaitKeys(const std::vector<std::string> &keys,
                      const std::string &what) {
  auto pause = std::chrono::milliseconds(1);
  auto begin = std::chrono::steady_clock::now();
  context->status.waitBegins(what);
  while (!atStore([&] { return store->check(keys); })) {
    context->failure.check();
    // Before there is a monitor, nobody else looks at the time.
    if (!monitor && std::chrono::steady_clock::now() - begin >
                        std::chrono::duration<double>(options.timeout_s))
      throw CommError("rank " + std::to_string(process.rank) +
                      " waited in vain for " + what);
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(50));
  }
  context->status.waitEnds();
}

static std::vector<uint8_t> bytesOf(std::string_view text) {
  return {text.begin(), text.end()};
}

std::string World::broadcastBytes(const std::string &bytes,
                                  const std::string &what) {
  context->failure.check();
  if (size() == 1)
    return bytes;
  std::string key = "bytes/" + std::to_string(exchanges++);
  if (rank() == 0) {
    size_t chunks = 0;
    for (size_t begin = 0; begin < bytes.size(); begin += kStoreChunkBytes)
      store->set(
          key + "/" + std::to_string(chunks++),
          bytesOf(std::string_view(bytes).substr(begin, kStoreChunkBytes)));
    store->set(key, std::to_string(chunks));
    return bytes;
  }
  awaitKeys({key}, what + " of rank 0");
  size_t chunks = std::stoull(atStore([&] { return store->get_to_str(key); }));
  std::string result;
  for (size_t i = 0; i < chunks; ++i)
    result += atStore(
        [&] { return store->get_to_str(key + "/" + std::to_string(i)); });
  // The last reader frees rank 0's memory.
  if (store->add(key + "/readers", 1) == size() - 1)
    for (size_t i = 0; i < chunks; ++i)
      store->deleteKey(key + "/" + std::to_string(i));
  return result;
}

static std::string hexText(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(value));
  return text;
}

void World::compareFingerprint(uint64_t fingerprint, const std::string &what) {
  context->failure.check();
  if (size() == 1)
    return;
  std::string key = "fingerprint/" + std::to_string(exchanges++) + "/";
  atStore([&] {
    store->set(key + std::to_string(rank()), hexText(fingerprint));
    return true;
  });
  std::vector<std::string> keys;
  for (int64_t r = 0; r < size(); ++r)
    keys.push_back(key + std::to_string(r));
  awaitKeys(keys, "the fingerprints of " + what);
  std::vector<std::pair<std::string, std::vector<int64_t>>> values;
  for (int64_t r = 0; r < size(); ++r) {
    std::string value = atStore([&] { return store->get_to_str(keys[r]); });
    size_t i = 0;
    while (i < values.size() && values[i].first != value)
      ++i;
    if (i == values.size())
      values.push_back({value, {}});
    values[i].second.push_back(r);
  }
  if (values.size() == 1)
    return;
  std::string message = "the ranks do not have the same " + what;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::vector<int64_t> &who = values[i].second;
    message += i ? "; rank " : ": rank ";
    for (size_t j = 0; j < who.size() && j < 8; ++j)
      message += (j ? ", " : "") + std::to_string(who[j]);
    message += (who.size() > 8 ? ", ..." : "");
    message += " (" + host(who[0]) + (who.size() > 1 ? ", ..." : "") +
               ") has fingerprint " + values[i].first;
  }
  context->failure.fail(message);
  throw CommError(message);
}

void World::createGroups(const Mesh &mesh,
                         const std::vector<std::string> &specs,
                         const std::vector<ChannelSpec> &channels) {
  context->failure.check();
  if (mesh.size() != size())
    throw UserError("the mesh has " + std::to_string(mesh.size()) +
                    " ranks, but there are " + std::to_string(size()) +
                    " processes");
  if (hasGroups)
    throw UserError("the groups were made already");
  std::vector<NamedSpec> named = canonicalSpecs(mesh, specs);
  std::vector<ChannelSpec> sorted = canonicalChannels(mesh, channels);
  std::string identity;
  for (const MeshAxis &axis : mesh.axes)
    identity += axis.name + "=" + std::to_string(axis.size) + " ";
  for (const NamedSpec &n : named)
    identity += n.name + ";";
  for (const ChannelSpec &channel : sorted)
    identity += channel.name + ":" + std::to_string(channel.from) + ">" +
                std::to_string(channel.to) + ";";
  compareFingerprint(hashText(identity), "mesh and groups");
  worldMesh = mesh;
  hasGroups = true;
  // One order on all ranks: the first group that is not there yet has all its
  // members at work on it, or on their way to it.
  for (const NamedSpec &n : named)
    addGroup(n.name, groupRanks(mesh, n.spec, rank()));
  for (const ChannelSpec &channel : sorted) {
    std::vector<int64_t> members = channelRanks(mesh, channel, rank());
    if (!members.empty())
      addGroup(channelGroupName(channel.name), members);
  }
}

void World::addGroup(const std::string &name,
                     const std::vector<int64_t> &members) {
  std::unique_ptr<Transport> transport;
  if (members.size() > 1) {
    std::string text = groupText(name, members);
    context->status.waitBegins("the connections of group " + text);
    context->status.dataBegins();
    // Gloo's own errors carry stack frames of c10d; who has ended and why
    // says the monitor.
    transport = atStore([&] {
      return makeGlooTransport(
          store, "group/" + text + "/" + std::to_string(hashText(text)),
          indexOf(members, rank()), static_cast<int64_t>(members.size()),
          *device);
    });
    context->status.dataEnds();
    context->status.waitEnds();
  }
  groups.add(name, makeHostGroup(name, members, context, std::move(transport),
                                 options.comm));
}

Group &World::group(const std::string &spec) {
  return groups.find(worldMesh, spec);
}

Group &World::channel(const std::string &name) {
  return groups.findChannel(name);
}

void World::finish() {
  if (finished)
    return;
  context->failure.check();
  groups.stop();
  context->failure.check();
  context->status.setPhase(Phase::Finished);
  if (monitor)
    monitor->finish();
  finished = true;
}

void World::fail(const std::string &message) {
  context->failure.fail(
      "rank " + std::to_string(rank()) + " (" + hostName() + kFailedBySelf +
      message + "; it last reported: " + context->status.snapshot().text);
  if (monitor)
    monitor->flushFailure();
}

/// What is wrong with the inputs is wrong on all ranks: the first one tells.
bool World::isToldByFirst(const std::exception &exception) const {
  if (rank() == 0 || !monitor)
    return false;
  for (int i = 0; i < 25 && !context->failure.failed(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  return context->failure.message().find(exception.what()) != std::string::npos;
}

void World::abort(const std::exception &exception) {
  bool isShared = dynamic_cast<const CommError *>(&exception) != nullptr;
  if (!isShared && isToldByFirst(exception))
    _exit(kPeerFailureExitCode);
  bool mine = !monitor || monitor->claimReport();
  if (!isShared)
    fail(exception.what());
  else {
    context->failure.fail(exception.what());
    if (monitor)
      monitor->flushFailure();
  }
  if (mine && !(isShared && isToldByPeer(exception.what()))) {
    std::fprintf(stderr, "error: %s\n", exception.what());
    std::fflush(stderr);
  }
  std::fflush(stdout);
  _exit(isShared ? kPeerFailureExitCode : 1);
}

World::~World() {
  if (!finished && size() > 1) {
    // Says nothing itself, unlike a rank that fails: the others tell.
    context->failure.fail("rank " + std::to_string(rank()) + " (" + hostName() +
                          ") ended before the others; it last reported: " +
                          context->status.snapshot().text);
    if (monitor)
      monitor->flushFailure();
  }
  groups.clear();
  monitor.reset();
}

} // namespace nxdt::comm
