//===- World.h - this process among the ranks -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_COMM_WORLD_H
#define NXDT_RUNTIME_COMM_WORLD_H

#include "runtime/Comm/Environment.h"
#include "runtime/Comm/GroupTable.h"
#include "runtime/Comm/HostGroup.h"
#include "runtime/Comm/Loopback.h"
#include "runtime/Comm/Monitor.h"

#include <c10/util/intrusive_ptr.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace c10d {
class Store;
}

namespace nxdt::comm {

class GlooDevice;

struct WorldOptions {
  CommOptions comm;
  /// "cpu" (Gloo). "cuda" throws UserError: NCCL is not built.
  std::string device = "cpu";
  /// See MonitorOptions; both from NXDT_COMM_TIMEOUT_S where that is set.
  double timeout_s = 600;
  /// From NXDT_COMM_SAVE_TIMEOUT_S where that is set.
  double saveTimeout_s = 1800;
  double silence_s = 6.0;
  double grace_s = 2.5;
};

/// Options from NXDT_COMM_TIMEOUT_S and NXDT_COMM_SAVE_TIMEOUT_S (seconds, more
/// than 0) and NXDT_COMM_CHECK_EVERY (0 or more). Throws UserError for any
/// other value.
WorldOptions worldOptions(const EnvironmentMap &env);

/// One per process. Order of use on all ranks: create, broadcastBytes and
/// compareFingerprint as needed, createGroups once, collectives, finish.
///
/// Every function that waits throws CommError as soon as any rank has failed,
/// with one message that is the same on all of them. A program that does not
/// react is ended 2.5 s later with kPeerFailureExitCode.
class World final : public RankView {
public:
  /// Joins the other ranks: returns when all are there. A world of one needs no
  /// network.
  static std::unique_ptr<World> create(const ProcessEnvironment &process,
                                       const WorldOptions &options);
  /// Without finish() before, tells the others that this rank failed.
  /// Never blocks for long.
  ~World() override;

  int64_t rank() const override { return process.rank; }
  int64_t size() const override { return process.worldSize; }
  const Mesh &mesh() const override { return worldMesh; }
  RankStatus &status() override { return context->status; }
  Group &group(const std::string &spec) override;
  Group &channel(const std::string &name) override;

  /// Rank 0's bytes on every rank. `what` is for messages ("the plan").
  std::string broadcastBytes(const std::string &bytes, const std::string &what);
  /// Throws CommError on all ranks if they are not equal, with the ranks of
  /// each value.
  void compareFingerprint(uint64_t fingerprint, const std::string &what);
  /// Once, with the same arguments on all ranks. The mesh's size is the world's
  /// (UserError if not). `channels`: of all stages.
  void createGroups(const Mesh &mesh, const std::vector<std::string> &specs,
                    const std::vector<ChannelSpec> &channels = {});

  /// Waits until all ranks are here, then disconnects. Collectives that nobody
  /// waited for are completed first.
  void finish();
  /// Tells all others why this rank ends; they throw it from their waits.
  void fail(const std::string &message);
  /// Ends the process after an exception: tells the others (unless it was their
  /// failure), prints one "error: ..." line and exits without destructors, with
  /// kPeerFailureExitCode for a CommError and else 1.
  [[noreturn]] void abort(const std::exception &exception);

  /// Host of a rank, as it calls itself.
  const std::string &host(int64_t rank) const { return context->hosts[rank]; }

private:
  World(const ProcessEnvironment &process, const WorldOptions &options);
  void connect();
  void addGroup(const std::string &name, const std::vector<int64_t> &members);
  template <typename Ask> auto atStore(Ask ask) -> decltype(ask());
  bool isToldByFirst(const std::exception &exception) const;
  void awaitKeys(const std::vector<std::string> &keys, const std::string &what);

  ProcessEnvironment process;
  WorldOptions options;
  Mesh worldMesh;
  std::shared_ptr<RankContext> context;
  c10::intrusive_ptr<c10d::Store> store;
  std::unique_ptr<Monitor> monitor;
  std::shared_ptr<GlooDevice> device;
  GroupTable groups;
  bool hasGroups = false;
  bool finished = false;
  int64_t exchanges = 0; ///< numbers the keys of broadcasts and comparisons
};

} // namespace nxdt::comm

#endif // NXDT_RUNTIME_COMM_WORLD_H
