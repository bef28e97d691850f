//===- Ranks.h - what all ranks of a run say together -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_TRAIN_RANKS_H
#define NXDT_RUNTIME_TRAIN_RANKS_H

#include "runtime/Checkpoint/Checkpoint.h"
#include "runtime/Comm/RankView.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// Everything outside of the plan on which the ranks of a run must agree: when
/// to stop, what to load, who has written what. All ranks call the same
/// functions in the same order; with one rank each is its own answer. Throws
/// CommError if a rank failed.
class Ranks {
public:
  /// `view`: with the group worldSpec (Collectives.h); null = one rank.
  explicit Ranks(comm::RankView *view);

  int64_t rank() const { return view ? view->rank() : 0; }
  int64_t size() const { return view ? view->size() : 1; }
  bool isFirst() const { return rank() == 0; }

  /// The largest value of each place. `label` is for messages.
  std::vector<int64_t> max(std::vector<int64_t> values,
                           const std::string &label);
  /// Rank 0's bytes.
  std::string broadcast(const std::string &bytes, const std::string &label);
  /// Everyone's bytes, by rank.
  std::vector<std::string> gather(const std::string &bytes,
                                  const std::string &label);

  /// The step that failures name from now on (1 for the first).
  void setStep(int64_t step);
  /// Until it is destroyed, the time others wait for this rank does not count.
  class Scope {
  public:
    Scope(comm::RankView *view, comm::Phase phase) {
      if (view)
        scope.emplace(view->status(), phase);
    }

  private:
    std::optional<comm::PhaseScope> scope;
  };
  Scope phase(comm::Phase phase) { return Scope(view, phase); }

private:
  comm::RankView *view;
  comm::Group *group = nullptr; ///< null for one rank
};

/// A save by all ranks: the first one, through SavePeers, says where, the
/// others serve until it says that it is done.
class RankPeers final : public SavePeers {
public:
  explicit RankPeers(Ranks &ranks) : ranks(ranks) {}

  void begin(const std::string &folder) override;
  std::vector<std::string> finish() override;
  /// Nothing more to write.
  void end();
  /// The part of a rank that is not the first.
  void serve(const CheckpointData &data);

private:
  Ranks &ranks;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_TRAIN_RANKS_H
