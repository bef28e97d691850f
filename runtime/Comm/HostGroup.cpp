//===- HostGroup.cpp - collectives over a transport of host memory -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A group has one thread, which runs its collectives in the order of their
// start. It shares ownership of everything it uses: after a failure it may be
// blocked in the network for good and is left behind.
//
//===----------------------------------------------------------------------===//
#include "runtime/Comm/HostGroup.h"

#include "runtime/Comm/Prepare.h"

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace nxdt::comm {

namespace {

/// How long a broken connection waits for the monitor's word on who broke it.
constexpr std::chrono::seconds kCulpritPatience{8};
constexpr std::chrono::milliseconds kFailurePoll{20};

struct GroupState;

class HostWork final : public Work {
public:
  at::Tensor wait() override;
  bool done() const override;
  Span span() const override;

  std::shared_ptr<GroupState> group;
  PreparedCall prepared;
  Signature signature;
  std::string what;
  bool check = true;
  // Guarded by GroupState::mutex.
  bool isDone = false;
  std::string error;
  Span moved;
};

struct GroupState {
  std::string name;
  std::string text;
  std::vector<int64_t> ranks;
  int64_t index = 0;
  std::shared_ptr<RankContext> context;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Algorithms> algorithms;
  std::vector<std::string> hosts; ///< of the members
  CommOptions options;
  uint64_t hash = 0;
  uint64_t sequence = 0; ///< of the starting thread

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<HostWork>> queue;
  bool busy = false;
  bool stop = false;
  std::array<CollectiveCounter, kCollectiveOps> counters;

  int64_t size() const { return static_cast<int64_t>(ranks.size()); }
  bool isIdle() const { return queue.empty() && !busy; } ///< under the mutex
  void execute(HostWork &work);
  std::string exchangeSignatures(HostWork &work, bool &isInline);
  void moveData(HostWork &work);
  void run();
  /// Waits until `ready` holds or something failed; false if that.
  template <typename Ready>
  bool waitFor(std::unique_lock<std::mutex> &lock, Ready ready) {
    while (!ready()) {
      if (context->failure.failed())
        return false;
      changed.wait_for(lock, kFailurePoll);
    }
    return true;
  }
};

bool HostWork::done() const {
  std::lock_guard<std::mutex> lock(group->mutex);
  return isDone;
}

Work::Span HostWork::span() const {
  std::lock_guard<std::mutex> lock(group->mutex);
  return moved;
}

at::Tensor HostWork::wait() {
  {
    std::unique_lock<std::mutex> lock(group->mutex);
    if (!isDone) {
      RankStatus &status = group->context->status;
      status.waitBegins(what);
      bool ready = group->waitFor(lock, [&] { return isDone; });
      status.waitEnds();
      if (!ready) {
        lock.unlock();
        group->context->failure.check();
      }
    }
    if (!error.empty())
      throw CommError(error);
  }
  return prepared.output;
}

/// The inline reduction or copy needs all payloads, which all members have.
bool travelsInline(const HostWork &work) {
  if (!work.check || work.signature.bytes > kInlineBytes)
    return false;
  return work.signature.op == CollectiveOp::AllReduce ||
         work.signature.op == CollectiveOp::Broadcast;
}

std::string GroupState::exchangeSignatures(HostWork &work, bool &isInline) {
  isInline = travelsInline(work);
  std::vector<Signature> signatures(size());
  signatures[index] = work.signature;
  size_t bytes = work.signature.bytes;
  if (isInline && bytes > 0)
    std::memcpy(signatures[index].payload, work.prepared.input.const_data_ptr(),
                bytes);
  algorithms->exchangeSignatures(signatures);
  std::string message = compareSignatures(text, signatures, hosts);
  if (!message.empty() || !isInline || bytes == 0)
    return message;
  void *out = work.prepared.output.mutable_data_ptr();
  if (work.signature.op == CollectiveOp::Broadcast) {
    // In place the root's tensor is only read: others may read it too.
    if (index != work.prepared.call.root ||
        out != work.prepared.input.const_data_ptr())
      std::memcpy(out, signatures[work.prepared.call.root].payload, bytes);
    return "";
  }
  std::vector<const void *> sources;
  for (const Signature &s : signatures)
    sources.push_back(s.payload);
  reduce(sources, out, work.prepared.output.numel(), work.prepared.dtype,
         work.prepared.call.reduction);
  return "";
}

void GroupState::moveData(HostWork &work) {
  PreparedCall &p = work.prepared;
  if (work.signature.op == CollectiveOp::Barrier)
    return;
  const char *in = static_cast<const char *>(p.input.const_data_ptr());
  char *out = static_cast<char *>(p.output.mutable_data_ptr());
  switch (work.signature.op) {
  case CollectiveOp::AllReduce:
    return algorithms->allReduce(in, out, p.input.numel(), p.dtype,
                                 p.call.reduction);
  case CollectiveOp::AllGather:
    return algorithms->allGather(in, out, p.view);
  case CollectiveOp::ReduceScatter:
    return algorithms->reduceScatter(in, out, p.view, p.dtype,
                                     p.call.reduction);
  case CollectiveOp::AllToAll:
    return algorithms->allToAll(in, out, p.view, p.join);
  case CollectiveOp::Broadcast:
    return algorithms->broadcast(in, out, p.input.nbytes(), p.call.root);
  case CollectiveOp::Barrier:
    return;
  }
}

void GroupState::execute(HostWork &work) {
  bool isInline = false;
  if (work.check) {
    std::string mismatch = exchangeSignatures(work, isInline);
    if (!mismatch.empty()) {
      context->failure.fail(mismatch);
      throw CommError(mismatch);
    }
  }
  if (!isInline) {
    context->status.dataBegins();
    moveData(work);
    context->status.dataEnds();
  }
  int64_t peers = size() - 1;
  std::lock_guard<std::mutex> lock(mutex);
  CollectiveCounter &counter = counters[static_cast<size_t>(work.signature.op)];
  ++counter.calls;
  counter.inputBytes += static_cast<int64_t>(work.signature.bytes);
  if (work.check)
    counter.headerBytes +=
        peers * static_cast<int64_t>(sizeof(Signature) - kInlineBytes);
  if (isInline && (work.signature.op == CollectiveOp::AllReduce ||
                   work.prepared.call.root == index))
    counter.sentBytes += peers * static_cast<int64_t>(work.signature.bytes);
  counter.sentBytes += algorithms->takeSentBytes();
}

void GroupState::run() {
  while (true) {
    std::shared_ptr<HostWork> work;
    {
      std::unique_lock<std::mutex> lock(mutex);
      changed.wait(lock, [&] { return stop || !queue.empty(); });
      if (queue.empty())
        return;
      work = queue.front();
      queue.pop_front();
      busy = true;
    }
    std::string error;
    Work::Span moved;
    moved.begin = std::chrono::steady_clock::now();
    try {
      context->failure.check();
      execute(*work);
    } catch (const CommError &e) {
      error = e.what();
    } catch (const std::exception &e) {
      // Most likely the peer is gone; the monitor knows who and why.
      auto end = std::chrono::steady_clock::now() + kCulpritPatience;
      while (!context->failure.failed() &&
             std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(kFailurePoll);
      std::string first(e.what());
      context->failure.fail("rank " + std::to_string(context->rank) +
                            " lost its connection in " + work->what + ": " +
                            first.substr(0, first.find('\n')));
      error = context->failure.message();
    }
    {
      std::lock_guard<std::mutex> lock(mutex);
      moved.end = std::chrono::steady_clock::now();
      work->moved = moved;
      work->error = std::move(error);
      work->isDone = true;
      busy = false;
      // A finished work holds its tensors for the caller only.
      work->prepared.input = at::Tensor();
      work->prepared.call.input = at::Tensor();
    }
    changed.notify_all();
  }
}

class HostGroup final : public Group {
public:
  explicit HostGroup(std::shared_ptr<GroupState> state)
      : state(std::move(state)) {}

  ~HostGroup() override {
    if (!thread.joinable())
      return;
    {
      std::lock_guard<std::mutex> lock(state->mutex);
      state->stop = true;
    }
    state->changed.notify_all();
    drain();
    bool drained;
    {
      std::lock_guard<std::mutex> lock(state->mutex);
      drained = state->isIdle();
    }
    if (drained)
      thread.join();
    else
      thread.detach();
  }

  void drain() override {
    std::unique_lock<std::mutex> lock(state->mutex);
    if (state->isIdle())
      return;
    RankStatus &status = state->context->status;
    status.waitBegins("the collectives of " + state->text +
                      " that were not waited for");
    state->waitFor(lock, [&] { return state->isIdle(); });
    status.waitEnds();
  }

  const std::string &name() const override { return state->name; }
  const std::vector<int64_t> &ranks() const override { return state->ranks; }
  int64_t index() const override { return state->index; }

  WorkPtr start(CollectiveCall call) override {
    state->context->failure.check();
    auto work = std::make_shared<HostWork>();
    work->group = state;
    work->prepared = prepare(std::move(call), state->size(), state->text);
    describe(*work);
    state->context->status.started(work->what);
    if (state->size() == 1) {
      finishAlone(*work);
      return work;
    }
    {
      std::lock_guard<std::mutex> lock(state->mutex);
      state->queue.push_back(work);
      if (!thread.joinable())
        thread = std::thread([shared = state] { shared->run(); });
    }
    state->changed.notify_all();
    return work;
  }

  std::array<CollectiveCounter, kCollectiveOps> counters() const override {
    std::lock_guard<std::mutex> lock(state->mutex);
    return state->counters;
  }

private:
  void describe(HostWork &work) {
    const PreparedCall &p = work.prepared;
    Signature &s = work.signature;
    s.op = p.call.op;
    s.reduction = p.call.reduction;
    s.dtype = p.dtype;
    s.groupHash = state->hash;
    s.sequence = state->sequence++;
    s.step = state->context->status.step();
    s.rank = state->context->rank;
    if (p.input.defined()) {
      s.bytes = p.input.nbytes();
      s.setShape(p.input.sizes().vec());
    }
    switch (s.op) {
    case CollectiveOp::AllGather:
    case CollectiveOp::ReduceScatter:
      s.argument0 = p.call.dim;
      break;
    case CollectiveOp::AllToAll:
      s.argument0 = p.call.dim;
      s.argument1 = p.call.dim2;
      break;
    case CollectiveOp::Broadcast:
      s.argument1 = p.call.root;
      break;
    default:
      break;
    }
    s.setLabel(p.call.label);
    work.what = std::string(comm::name(s.op)) + " #" +
                std::to_string(s.sequence) + " of " + state->text;
    if (!p.call.label.empty())
      work.what += " (" + p.call.label + ")";
    int64_t every = state->options.checkEvery;
    work.check = s.op == CollectiveOp::Barrier ||
                 (every > 0 && s.sequence % static_cast<uint64_t>(every) == 0);
  }

  void finishAlone(HostWork &work) {
    PreparedCall &p = work.prepared;
    if (p.output.defined() && p.input.nbytes() > 0 &&
        p.output.data_ptr() != p.input.const_data_ptr())
      std::memcpy(p.output.mutable_data_ptr(), p.input.const_data_ptr(),
                  p.input.nbytes());
    std::lock_guard<std::mutex> lock(state->mutex);
    CollectiveCounter &counter =
        state->counters[static_cast<size_t>(work.signature.op)];
    ++counter.calls;
    counter.inputBytes += static_cast<int64_t>(work.signature.bytes);
    work.isDone = true;
  }

  std::shared_ptr<GroupState> state;
  std::thread thread;
};

} // namespace

std::string groupText(const std::string &name,
                      const std::vector<int64_t> &ranks) {
  std::string text = name + " {";
  for (size_t i = 0; i < ranks.size() && i < 16; ++i)
    text += (i ? "," : "") + std::to_string(ranks[i]);
  return text + (ranks.size() > 16 ? ",...}" : "}");
}

std::unique_ptr<Group> makeHostGroup(std::string name,
                                     std::vector<int64_t> ranks,
                                     std::shared_ptr<RankContext> context,
                                     std::unique_ptr<Transport> transport,
                                     const CommOptions &options) {
  auto state = std::make_shared<GroupState>();
  state->text = groupText(name, ranks);
  state->name = std::move(name);
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] == context->rank)
      state->index = static_cast<int64_t>(i);
    size_t rank = static_cast<size_t>(ranks[i]);
    state->hosts.push_back(rank < context->hosts.size() ? context->hosts[rank]
                                                        : "");
  }
  std::string identity = state->name;
  for (int64_t rank : ranks)
    identity += " " + std::to_string(rank);
  state->hash = hashText(identity);
  state->ranks = std::move(ranks);
  state->context = std::move(context);
  state->transport = std::move(transport);
  if (state->transport)
    state->algorithms = std::make_unique<Algorithms>(
        *state->transport, state->index, state->size());
  state->options = options;
  return std::make_unique<HostGroup>(std::move(state));
}

} // namespace nxdt::comm
