//===- Communication.h - what collectives of a plan move --------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one place that says how many bytes a collective counts for: the reports
// of nxdt-opt, and what nxdt-run sets beside its measurements.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_PLAN_COMMUNICATION_H
#define NXDT_PLAN_COMMUNICATION_H

#include "nxdt/Plan/Plan.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nxdt::plan {

/// One collective on one rank, in bytes. `inputBytes` are those of its
/// argument; `sentBytes` is what a ring sends, with n ranks and F bytes of the
/// full tensor (an all_gather's result, the argument of the others): all_reduce
/// 2(n-1)/n F, all_gather and reduce_scatter (n-1)/n F, rounded down.
struct Payload {
  int64_t ranks = 1; ///< n
  int64_t inputBytes = 0;
  int64_t sentBytes = 0;
};

/// One tensor of a collective.
struct Transfer {
  int32_t input = -1; ///< values of the program
  int32_t result = -1;
  std::string_view module;
  std::string_view reason;
};

/// Whether an instruction is a collective, or starts one.
bool isCollective(const Instruction &instruction);
/// All that such an instruction sends together; it is as plan::verify wants it.
std::vector<Transfer> transfersOf(const Instruction &instruction);

/// Of one tensor. All zero for what does not communicate: all_slice, and groups
/// of one.
Payload payloadOf(const Plan &plan, const Program &program,
                  const Instruction &instruction, const Transfer &transfer);
/// Of an instruction that is a collective or starts one: all of its tensors.
Payload payloadOf(const Plan &plan, const Program &program,
                  const Instruction &instruction);

/// When a program runs.
enum class Stage {
  Step,       ///< in every optimizer step
  Evaluation, ///< in every evaluation
  Other,      ///< init, norm_params: once, or where a key asks for it
};
struct ProgramUse {
  Stage stage = Stage::Other;
  bool isPerMicroBatch = false; ///< else once per stage
};
ProgramUse useOf(std::string_view program);

/// "tp", "dp,tp": the group's name as the plan's axes spell it.
std::string groupText(const Axes &axes);

/// All collectives of one kind over one group, of one rank.
struct Traffic {
  std::string group;
  Collective kind = Collective::AllReduce;
  int64_t ranks = 1;
  int64_t calls = 0;
  int64_t inputBytes = 0;
  int64_t sentBytes = 0;
};

/// How often a program runs in a stage: by its name, or as schedules say.
int64_t runsOf(const Plan &plan, const Program &program, Stage stage,
               int64_t microBatches);

/// What a rank's programs of a stage move with this many micro-batches, by
/// group and kind; what does not communicate is left out.
std::vector<Traffic> trafficOf(const Plan &plan, Stage stage,
                               int64_t microBatches);

/// One channel of one rank.
struct ChannelTraffic {
  std::string name;
  int64_t peer = 0; ///< stage
  bool isSend = false;
  int64_t calls = 0;
  int64_t bytes = 0; ///< sent, or received
};

/// What the schedules of a stage move, in the order of the plan's channels;
/// those that they do not use are left out.
std::vector<ChannelTraffic> channelTrafficOf(const Plan &plan, Stage stage);

} // namespace nxdt::plan

#endif // NXDT_PLAN_COMMUNICATION_H
