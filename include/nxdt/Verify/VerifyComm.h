//===- VerifyComm.h - do all ranks meet in every collective? ----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The model: a rank runs its collectives one after the other, on all its
// communicators together. One ends when all ranks of its group are in it
// (rendezvous), and not before. Whether all end does not depend on timing then,
// so that one simulation decides it. docs/Verification.md says what backs the
// model.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_VERIFY_VERIFYCOMM_H
#define NXDT_VERIFY_VERIFYCOMM_H

#include "nxdt/Plan/Mesh.h"
#include "nxdt/Plan/Plan.h"

#include <string>
#include <vector>

namespace nxdt {

/// One collective of a rank, or an end of a message.
struct CommStep {
  plan::Axes axes; ///< the group: ranks that differ along these only
  plan::Collective kind = plan::Collective::AllReduce;
  plan::Reduction reduction = plan::Reduction::Sum;
  plan::DType dtype = plan::DType::F32;
  std::vector<int64_t> shape; ///< of the operand
  int64_t dim = 0;
  std::string place; ///< for messages: program, instruction, module

  enum class What {
    Collective,
    Begin, ///< this end of the message is ready: never waits
    Wait,  ///< until both ends are
  } what = What::Collective;
  // Begin and Wait: channel and micro-batch, and the other end's class.
  std::string channel = {};
  int64_t microBatch = 0;
  int peer = -1;
};

/// Ranks that run the same list. Every rank of the mesh is in exactly one, and
/// of every group, each rank of a class sees the same number of ranks of each
/// class: then the classes' representatives stand for all ranks.
struct CommClass {
  std::vector<int64_t> ranks;
  std::vector<CommStep> steps;
};

/// Throws UserError if a collective never ends, with the shortest cycle of
/// ranks that wait for each other, a line per rank; or if ranks meet in
/// collectives of another kind, type, size or reduction. Linear in the steps of
/// all classes.
void verifyRendezvous(const plan::Mesh &mesh,
                      const std::vector<CommClass> &classes,
                      const std::string &what);

/// verifyRendezvous of a plan: all its ranks run the same programs.
void verifyComm(const plan::Plan &plan, const std::string &what);
/// The same of the stages of a pipeline: a step, an evaluation and what else
/// they run, with all collectives and messages of their schedules.
void verifyComm(const plan::PlanFamily &family, const std::string &what);

} // namespace nxdt

#endif // NXDT_VERIFY_VERIFYCOMM_H
