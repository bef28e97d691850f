//===- VerifySpmd.cpp - do the ranks compute what one would? --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Verify/VerifySpmd.h"

#include "SpmdRules.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Support/UserError.h"

#include <algorithm>
#include <stdexcept>

namespace nxdt {
namespace {

using namespace spmd;

/// Walks one program.
class ProgramCheck {
public:
  ProgramCheck(const plan::Plan &plan, const plan::Program &program,
               const Atoms &atoms, const std::string &what)
      : plan(plan), program(program), atoms(atoms), what(what),
        lies(program.values.size()) {
    if (plan.schedules.empty())
      return;
    stages = atoms.set({"pp"});
    for (const plan::Schedule &schedule : plan.schedules)
      for (const plan::Action &action : schedule.actions)
        isOfOneStage |= schedule.name != "update_step" &&
                        action.kind == plan::ActionKind::Run &&
                        &plan.programs[action.index] == &program;
  }

  void run();

private:
  void step(const plan::Instruction &instruction);
  void collective(const plan::Instruction &instruction, int32_t operand,
                  int32_t out);
  Lie reduced(const plan::Instruction &instruction, Lie lie, AtomSet group);
  Lie declared(const plan::Buffer &buffer) const;
  void write(int32_t value, const Lie &lie);
  void keepOwn(const plan::Instruction &instruction,
               std::vector<Lie> &made) const;
  void mutate(const Call &call, const plan::Instruction &instruction);
  [[noreturn]] void fail(const std::string &message) const;

  const plan::Plan &plan;
  const plan::Program &program;
  const Atoms &atoms;
  const std::string &what;
  std::vector<Lie> lies;
  size_t at = 0;
  AtomSet stages = 0; ///< the axis pp, in a stage's plan
  /// No other stage runs this program: within it there is no sum over stages.
  bool isOfOneStage = false;
};

void ProgramCheck::fail(const std::string &message) const {
  const plan::Instruction &instruction = program.instructions[at];
  std::string place =
      instruction.module.empty() ? "" : " of " + instruction.module;
  throw UserError(what + ": verify-spmd: program '" + program.name +
                  "', instruction " + std::to_string(at) + ", " +
                  instruction.op + place + ": " + message);
}

Lie ProgramCheck::declared(const plan::Buffer &buffer) const {
  Lie lie = Lie::whole(buffer.shape);
  lie.own = stages && !isOfOneStage && !buffer.param.empty();
  for (size_t dim = 0; dim < buffer.split.size(); ++dim)
    if (AtomList list = atoms.list(buffer.split[dim]); !list.empty())
      lie.dims[dim] = {{{buffer.logicalShape[dim], buffer.shape[dim], list,
                         false, Padding::Zero}}};
  lie.sum = atoms.set(buffer.partial);
  if (isOfOneStage)
    lie.sum &= ~stages;
  if (AtomList over = atoms.list(buffer.coordinate); !over.empty()) {
    lie.unknown = setOf(over);
    lie.fact = coordinateFact(over, atoms);
  }
  return lie;
}

/// A value that becomes the content of a buffer, or of a temporary that was
/// something before.
void ProgramCheck::write(int32_t value, const Lie &lie) {
  int32_t number = program.values[value].buffer;
  Lie wanted = number >= 0 ? declared(plan.buffers[number]) : lies[value];
  std::string name = number >= 0 ? "buffer '" + plan.buffers[number].name + "'"
                                 : "its operand";
  auto refuse = [&] {
    fail("writes what is " + text(lie, atoms) + " to " + name + ", which is " +
         text(wanted, atoms));
  };
  if (lie.own && number >= 0 && plan.buffers[number].role == plan::Role::Scalar)
    fail("writes what comes from this stage's parameters to " + name +
         ", which is the same on all stages: sum it over [pp] first");
  if (lie.max | lie.root | lie.unknown)
    refuse();
  if (lie.sum != wanted.sum && !lie.zero)
    refuse();
  for (size_t dim = 0; dim < wanted.dims.size(); ++dim) {
    std::optional<Dim> both = unify(lie.dims[dim], wanted.dims[dim], atoms);
    if (!both || both->atoms() != wanted.dims[dim].atoms())
      refuse();
    if (!lie.zero && paddingOf(lie.dims[dim], atoms) != Padding::Zero)
      fail("writes to " + name +
           " what is not zero in the padding of dimension " +
           std::to_string(dim) + ": mask it first");
  }
}

//===----------------------------------------------------------------------===//
// Collectives
//===----------------------------------------------------------------------===//

/// Reads a split over the minor atoms `list` as a sum over them, where a rank
/// cannot tell these apart.
static void preferSum(Lie &lie, const AtomList &list, const Atoms &atoms) {
  if (setOf(list) & ~lie.either)
    return;
  for (Dim &dim : lie.dims) {
    if (dim.runs.size() != 1 || dim.runs[0].atoms.size() < list.size())
      continue;
    Run &run = dim.runs[0];
    size_t left = run.atoms.size() - list.size();
    int64_t parts = atoms.size(list);
    if (!std::equal(list.begin(), list.end(), run.atoms.begin() + left) ||
        run.whole % parts)
      continue;
    run.atoms.resize(left);
    run.whole /= parts;
    lie.sum |= setOf(list);
    return;
  }
}

/// The sum or maximum over the group; all of it must be one.
Lie ProgramCheck::reduced(const plan::Instruction &instruction, Lie lie,
                          AtomSet group) {
  if (lie.zero)
    return lie;
  bool isSum = instruction.reduction == plan::Reduction::Sum;
  AtomSet &partial = isSum ? lie.sum : lie.max;
  AtomSet other = group & ~partial;
  if (AtomSet same = other & ~lie.differs(); same && isSum)
    fail("sums values that are not terms of a sum over " + atoms.text(same) +
         ": counts them once for each rank (the operand is " +
         text(lie, atoms) + ")");
  if (other)
    fail(std::string("takes the ") + (isSum ? "sum" : "maximum") + " over " +
         atoms.text(other) + " of what is " + text(lie, atoms));
  if (!isSum && lie.sum)
    fail("takes the maximum of what is " + text(lie, atoms));
  partial &= ~group;
  return lie;
}

void ProgramCheck::collective(const plan::Instruction &instruction,
                              int32_t operand, int32_t out) {
  using plan::Collective;
  Lie lie = lies[operand];
  lie.fact = nullptr;
  AtomList list = atoms.list(instruction.axes);
  AtomSet group = setOf(list);
  if (lie.root | lie.unknown)
    fail("hands out what is " + text(lie, atoms));
  Collective kind = instruction.collective;
  if (kind == Collective::AllReduce || kind == Collective::ReduceScatter) {
    preferSum(lie, list, atoms);
    lie = reduced(instruction, lie, group);
  }
  lie.either = 0;
  if (kind != Collective::AllReduce) {
    Dim &dim = lie.dims[instruction.dim];
    int64_t size = program.values[out].shape[instruction.dim];
    if (kind == Collective::AllGather) {
      Run *last = dim.runs.empty() ? nullptr : &dim.runs.back();
      // Rows below what is split are part of the pieces.
      bool isLast =
          last && last->atoms.size() >= list.size() &&
          std::equal(list.begin(), list.end(), last->atoms.end() - list.size());
      if (!isLast || dim.runs.size() != 1)
        fail("gathers over " + atoms.text(group) + " along dimension " +
             std::to_string(instruction.dim) + " what is " + text(lie, atoms));
      last->atoms.resize(last->atoms.size() - list.size());
      last->local = size;
      if (last->atoms.empty() && !last->whole)
        last->whole = size;
    } else {
      if (kind == Collective::AllSlice && (lie.differs() & group))
        fail("cuts over " + atoms.text(group) + " what is " + text(lie, atoms) +
             ": ranks would take parts of different things");
      if (lie.differs() & group)
        fail("splits over " + atoms.text(lie.differs() & group) +
             " what is split over it already");
      if (dim.runs.empty())
        dim.runs = {Run{}};
      // Parts of one index each are cut in what comes behind them.
      size_t first = 0;
      while (first + 1 < dim.runs.size() && dim.runs[first].local == 1)
        ++first;
      if (first + 1 != dim.runs.size())
        fail(
            "cuts a dimension of which a minor part is split: the operand is " +
            text(lie, atoms));
      Run &run = dim.runs[first];
      int64_t before = run.local;
      if (run.filled && run.atoms.empty() && run.padding != Padding::Unknown &&
          partSize(run.filled, list, atoms) == size)
        run.whole = run.filled;
      run.filled = 0;
      run.atoms.insert(run.atoms.end(), list.begin(), list.end());
      run.local = size;
      if (run.uniform)
        run = {before, size, run.atoms, false, Padding::Zero};
      // Longer than its whole, and not by what makes parts equal: not padded.
      if (run.whole && partSize(run.whole, run.atoms, atoms) != size)
        run.whole = run.atoms.size() == list.size() ? before : 0;
    }
    dim = normalized(dim, atoms);
  }
  if (program.values[out].buffer >= 0)
    write(out, lie);
  else
    lies[out] = lie;
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

/// The optimizer works in lists, other operators in their first argument.
void ProgramCheck::mutate(const Call &call,
                          const plan::Instruction &instruction) {
  std::vector<Lie> made = inferCall(call);
  if (made.empty())
    fail("is not known, and changes its operand");
  std::vector<int32_t> targets;
  if (call.hasTensor(0))
    targets = {call.value(0)};
  else
    for (size_t i = 0; i < 4; ++i)
      for (int32_t value : call.list(i))
        targets.push_back(value);
  for (int32_t value : targets)
    write(value, made[0]);
  for (int32_t out : instruction.outs)
    if (out >= 0)
      lies[out] = lies[targets[0]];
}

/// What comes from a stage's parameters is the stage's. Reduced to a scalar, it
/// is a term of a sum over the stages, or the root of one.
void ProgramCheck::keepOwn(const plan::Instruction &instruction,
                           std::vector<Lie> &made) const {
  bool isOwn = false, isReduced = false;
  auto look = [&](int32_t value) {
    if (value < 0 || !lies[value].own)
      return;
    isOwn = true;
    isReduced |= !program.values[value].shape.empty();
  };
  for (const plan::Arg &arg : instruction.args) {
    if (const auto *ref = std::get_if<plan::ValueRef>(&arg))
      look(ref->index);
    else if (const auto *refs = std::get_if<std::vector<plan::ValueRef>>(&arg))
      for (plan::ValueRef ref : *refs)
        look(ref.index);
  }
  if (!isOwn || isOfOneStage)
    return;
  for (size_t i = 0; i < made.size(); ++i) {
    bool isScalar = i < instruction.outs.size() && instruction.outs[i] >= 0 &&
                    program.values[instruction.outs[i]].shape.empty();
    made[i].own = false;
    bool isNorm = instruction.op == "aten::linalg_vector_norm";
    bool isSum = instruction.op.starts_with("aten::sum");
    if (isScalar && isReduced && isNorm)
      made[i].root |= stages;
    else if (isScalar && isReduced && isSum)
      made[i].sum |= stages;
    else
      made[i].own = true;
  }
}

void ProgramCheck::run() {
  for (size_t i = 0; i < lies.size(); ++i)
    if (program.values[i].buffer >= 0)
      lies[i] = declared(plan.buffers[program.values[i].buffer]);
  for (at = 0; at < program.instructions.size(); ++at)
    try {
      step(program.instructions[at]);
    } catch (const std::out_of_range &) {
      fail("has arguments that do not fit its operands");
    }
}

void ProgramCheck::step(const plan::Instruction &instruction) {
  if (plan::isCollective(instruction)) {
    for (const plan::Transfer &transfer : plan::transfersOf(instruction))
      collective(instruction, transfer.input, transfer.result);
    return;
  }
  // That values are left alone while they are under way is plan::verify's.
  if (instruction.kind == plan::OpKind::Wait)
    return;
  Call call(atoms, program, instruction, lies,
            [this](const std::string &message) { fail(message); });
  bool isVjp = instruction.kind == plan::OpKind::AtenVjp;
  if (!isVjp && !pureName(instruction.op).empty()) {
    mutate(call, instruction);
    return;
  }
  std::vector<Lie> made =
      isVjp ? inferUnknown(call, instruction.outs.size()) : inferCall(call);
  keepOwn(instruction, made);
  for (size_t i = 0; i < instruction.outs.size(); ++i) {
    int32_t out = instruction.outs[i];
    if (out < 0)
      continue;
    const Lie &lie = made.at(std::min(i, made.size() - 1));
    if (program.values[out].buffer >= 0)
      write(out, lie);
    else
      lies[out] = lie;
  }
}

} // namespace

void verifySpmd(const plan::Plan &plan, const std::string &what) {
  spmd::Atoms atoms(plan);
  // One rank computes what one rank computes.
  if (atoms.count() == 0)
    return;
  for (const plan::Program &program : plan.programs)
    ProgramCheck(plan, program, atoms, what).run();
}

} // namespace nxdt
