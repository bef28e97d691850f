//===- Values.cpp - values inside of programs, compared -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Values.h"
#include "nxdt/Plan/Communication.h"

#include "ATen/ops/clone.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

namespace nxdt::runtime {
namespace {

std::vector<int32_t> usesOf(const plan::Instruction &instruction) {
  std::vector<int32_t> out;
  for (const plan::Arg &arg : instruction.args) {
    if (const auto *ref = std::get_if<plan::ValueRef>(&arg))
      out.push_back(ref->index);
    else if (const auto *refs = std::get_if<std::vector<plan::ValueRef>>(&arg))
      for (plan::ValueRef item : *refs)
        out.push_back(item.index);
  }
  out.insert(out.end(), instruction.gradOuts.begin(),
             instruction.gradOuts.end());
  std::erase_if(out, [](int32_t index) { return index < 0; });
  return out;
}

/// "aten::add_.Tensor": by convention it changes its arguments.
bool isInPlace(const plan::Instruction &instruction) {
  std::string name = instruction.op.substr(0, instruction.op.find('.'));
  return name.ends_with('_');
}

bool isOverStages(const plan::Axes &axes) {
  for (const std::string &axis : axes)
    if (axis.substr(0, axis.find(':')) == "pp")
      return true;
  return false;
}

/// The channel from which a carry gets its tensors; null if it has none.
const plan::Channel *sourceOf(const plan::Plan &plan, int32_t buffer) {
  for (const plan::Channel &channel : plan.channels)
    if (!channel.isSend && channel.buffer == buffer)
      return &channel;
  return nullptr;
}

} // namespace

std::string shownApart(double relative) {
  if (!std::isfinite(relative))
    return "not finite or of another shape";
  char text[32];
  std::snprintf(text, sizeof(text), "%.1e", relative);
  return text;
}

Recording::Recording(PlanRanks &ranks, bool keepsBuffers)
    : ranks(ranks), keepsBuffers(keepsBuffers), ofRanks(size_t(ranks.size())) {
  ranks.observe(this);
}

void Recording::begin(int64_t rank, size_t program, int64_t microBatch,
                      const std::vector<at::Tensor> &now) {
  if (!isOn)
    return;
  OfRank &of = ofRanks[size_t(rank)];
  of.current = {ranks.stageOf(rank), program, microBatch};
  of.began[of.current] = count++;
  Values &seen = of.values[of.current];
  const plan::Plan &plan = ranks.rank(rank).plan();
  const std::vector<plan::Value> &values = plan.programs[program].values;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].origin && now[i].defined() && values[i].buffer >= 0 &&
        sourceOf(plan, values[i].buffer))
      seen[int32_t(i)] = now[i].clone();
  if (keepsBuffers && rank == 0)
    keepBuffers(before, of.current);
}

void Recording::ran(int64_t rank, size_t index,
                    const std::vector<at::Tensor> &now) {
  if (!isOn)
    return;
  OfRank &of = ofRanks[size_t(rank)];
  const plan::Program &program =
      ranks.rank(rank).plan().programs[of.current.program];
  for (int32_t out : program.instructions[index].outs)
    if (out >= 0 && program.values[size_t(out)].origin)
      // A later instruction may write into it.
      of.values[of.current][out] = now[size_t(out)].clone();
}

void Recording::ended(int64_t rank) {
  if (isOn && keepsBuffers && rank == 0)
    keepBuffers(after, ofRanks[0].current);
}

/// Copies of what the program may change, the tensors themselves of the rest.
void Recording::keepBuffers(std::map<ProgramRun, std::vector<at::Tensor>> &kept,
                            const ProgramRun &run) {
  const Executor &executor = ranks.rank(0);
  std::vector<at::Tensor> &tensors = kept[run];
  tensors = executor.buffers();
  for (int32_t index : executor.writtenBy(int(run.program)))
    if (at::Tensor &tensor = tensors[size_t(index)]; tensor.defined())
      tensor = tensor.clone();
  for (size_t i = 0; i < tensors.size(); ++i)
    if (executor.plan().buffers[i].role == plan::Role::Input)
      tensors[i] = tensors[i].clone();
}

void Recording::start() {
  for (OfRank &of : ofRanks)
    of = {};
  before.clear();
  after.clear();
  count = 0;
  isOn = true;
}

std::vector<ProgramRun> Recording::runsByTime() const {
  // The first rank of a stage to begin counts for all of them.
  std::map<ProgramRun, int64_t> began;
  for (const OfRank &of : ofRanks)
    for (const auto &[run, when] : of.began) {
      auto [it, isNew] = began.emplace(run, when);
      it->second = std::min(it->second, when);
    }
  std::vector<ProgramRun> out;
  for (const auto &[run, when] : began)
    out.push_back(run);
  std::sort(out.begin(), out.end(),
            [&](const ProgramRun &a, const ProgramRun &b) {
              return began[a] < began[b];
            });
  return out;
}

std::vector<ProgramRun> Recording::runs() const {
  std::vector<ProgramRun> out = runsByTime();
  std::stable_sort(out.begin(), out.end(),
                   [](const ProgramRun &a, const ProgramRun &b) {
                     return a.microBatch < b.microBatch;
                   });
  return out;
}

at::Tensor Recording::value(int64_t rank, const ProgramRun &run,
                            int32_t index) const {
  const auto &values = ofRanks[size_t(rank)].values;
  auto ofRun = values.find(run);
  if (ofRun == values.end())
    return {};
  auto it = ofRun->second.find(index);
  return it == ofRun->second.end() ? at::Tensor() : it->second;
}

at::Tensor
Recording::find(const std::map<ProgramRun, std::vector<at::Tensor>> &kept,
                const ProgramRun &run, const std::string &name) const {
  auto it = kept.find(run);
  const std::vector<plan::Buffer> &buffers = ranks.plan().buffers;
  for (size_t i = 0; it != kept.end() && i < buffers.size(); ++i)
    if (buffers[i].name == name)
      return it->second[i];
  return {};
}

at::Tensor Recording::bufferBefore(const ProgramRun &run,
                                   const std::string &name) const {
  return find(before, run, name);
}

at::Tensor Recording::bufferAfter(const ProgramRun &run,
                                  const std::string &name) const {
  return find(after, run, name);
}

ValueComparison::ValueComparison(const PlanRanks &ranks, const Recording &parts,
                                 const PlanRanks &whole,
                                 const Recording &wholeValues,
                                 const Tolerance &allowed)
    : ranks(ranks), parts(parts), whole(whole), wholeValues(wholeValues),
      allowed(allowed) {
  for (const plan::Program &program : whole.plan().programs) {
    std::map<std::string, int32_t> &index = wholeIndex.emplace_back();
    for (size_t i = 0; i < program.values.size(); ++i)
      if (program.values[i].origin)
        index.emplace(program.values[i].origin->name, int32_t(i));
  }
}

const plan::Plan &ValueComparison::planOf(const ProgramRun &run) const {
  return ranks.family().stages[size_t(run.stage)];
}

const plan::Program &ValueComparison::programOf(const ProgramRun &run) const {
  return planOf(run).programs[run.program];
}

/// The run of the whole plan's program that a name begins with.
std::optional<ProgramRun> ValueComparison::wholeRun(const std::string &name,
                                                    int64_t microBatch) const {
  int program = whole.rank(0).find(name.substr(0, name.find_first_of("#@")));
  if (program < 0)
    return std::nullopt;
  return ProgramRun{0, size_t(program), microBatch};
}

/// The value of that name in the whole plan. One that was computed in place is
/// in its buffer.
at::Tensor ValueComparison::wholeOf(const std::string &name,
                                    int64_t microBatch) const {
  std::optional<ProgramRun> run = wholeRun(name, microBatch);
  if (!run)
    return {};
  const std::map<std::string, int32_t> &index = wholeIndex[run->program];
  if (auto it = index.find(name); it != index.end())
    return wholeValues.value(0, *run, it->second);
  if (size_t at = name.find('@'); at != std::string::npos)
    return wholeValues.bufferBefore(*run, name.substr(at + 1));
  if (size_t at = name.find('>'); at != std::string::npos)
    return wholeValues.bufferAfter(*run, name.substr(at + 1));
  return {};
}

/// Another stage has a term of what is summed over stages, if it has a value of
/// that name that lies alike in its program of the same name.
at::Tensor ValueComparison::partOf(const ProgramRun &run, int32_t index,
                                   int64_t rank) const {
  int64_t stage = ranks.stageOf(rank);
  if (stage == run.stage)
    return parts.value(rank, run, index);
  const plan::Origin &origin = *programOf(run).values[size_t(index)].origin;
  int other = ranks.rank(rank).find(programOf(run).name);
  if (!isOverStages(origin.partial) || other < 0)
    return {};
  ProgramRun there{stage, size_t(other), run.microBatch};
  const std::vector<plan::Value> &values = programOf(there).values;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].origin && values[i].origin->name == origin.name &&
        values[i].origin->split == origin.split &&
        values[i].origin->partial == origin.partial)
      return parts.value(rank, there, int32_t(i));
  return {};
}

std::string ValueComparison::placeOf(const ProgramRun &run) const {
  const std::string &name = programOf(run).name;
  if (!ranks.hasStages())
    return name;
  return name + " of stage " + std::to_string(run.stage) + ", micro-batch " +
         std::to_string(run.microBatch);
}

std::optional<std::string> ValueComparison::compare(const ProgramRun &run,
                                                    int32_t index,
                                                    const std::string &maker) {
  const plan::Value &value = programOf(run).values[size_t(index)];
  if (!value.origin)
    return std::nullopt;
  at::Tensor expected = wholeOf(value.origin->name, run.microBatch);
  if (!expected.defined())
    return std::nullopt;
  Layout layout(*value.origin);
  Apart apart = compareWithWhole(
      layout, ranks.mesh(),
      [&](int64_t rank) { return partOf(run, index, rank); }, expected,
      allowed);
  ++numCompared;
  bool holds = allowed.holds(apart);
  if (!holds || largestAt.empty() || apart.relative > largestApart.relative) {
    largestApart = apart;
    largestAt = value.origin->name + " (" + maker + ")";
  }
  if (holds)
    return std::nullopt;
  return "\n  value " + value.origin->name + " as " + layout.text() +
         " on rank " + std::to_string(apart.rank) + ": " +
         shownApart(apart.relative) + " of its largest element (allowed are " +
         shownApart(allowed.all) + ")";
}

/// What other stages have sent.
std::optional<std::string>
ValueComparison::compareArrivals(const ProgramRun &run) {
  const std::vector<plan::Value> &values = programOf(run).values;
  for (size_t i = 0; i < values.size(); ++i) {
    const plan::Channel *channel =
        values[i].buffer < 0 ? nullptr
                             : sourceOf(planOf(run), values[i].buffer);
    if (!channel || !values[i].origin)
      continue;
    std::string from = "channel " + channel->name + " from stage " +
                       std::to_string(channel->peer);
    if (auto difference = compare(run, int32_t(i), from))
      return placeOf(run) + ": what arrived over " + from + " (" +
             channel->reason + ")" + *difference;
  }
  return std::nullopt;
}

std::optional<std::string> ValueComparison::firstDifference() {
  for (const ProgramRun &run : parts.runs()) {
    if (auto arrived = compareArrivals(run))
      return arrived;
    const plan::Program &program = programOf(run);
    for (size_t i = 0; i < program.instructions.size(); ++i)
      for (int32_t index : program.instructions[i].outs) {
        if (index < 0)
          continue;
        std::string maker = program.instructions[i].op + " in " +
                            program.instructions[i].module;
        if (auto difference = compare(run, index, maker))
          return describe(run, i) + *difference + sources(run, i);
      }
  }
  return std::nullopt;
}

std::string ValueComparison::describe(const ProgramRun &run,
                                      size_t index) const {
  const plan::Instruction &instruction = programOf(run).instructions[index];
  std::string out = placeOf(run) + ", instruction " + std::to_string(index) +
                    ": " + instruction.op;
  if (plan::isCollective(instruction)) {
    std::string axes;
    for (const std::string &axis : instruction.axes)
      axes += (axes.empty() ? "" : ",") + axis;
    out += " over " + axes;
  }
  if (!instruction.module.empty())
    out += " in " + instruction.module;
  if (!instruction.reason.empty())
    out += " (" + instruction.reason + ")";
  return out;
}

/// What an operation is computed from: named values behind it, and how many
/// operations lie between that have no counterpart.
std::string ValueComparison::sources(const ProgramRun &run,
                                     size_t index) const {
  const plan::Program &program = programOf(run);
  std::vector<int64_t> definedBy(program.values.size(), -1);
  for (size_t i = 0; i < index; ++i)
    for (int32_t out : program.instructions[i].outs)
      if (out >= 0 && program.values[size_t(out)].buffer < 0)
        definedBy[size_t(out)] = int64_t(i);
  std::string named;
  std::set<int32_t> seen;
  std::set<size_t> between;
  std::vector<size_t> open = {index};
  while (!open.empty()) {
    size_t at = open.back();
    open.pop_back();
    for (int32_t use : usesOf(program.instructions[at])) {
      if (!seen.insert(use).second)
        continue;
      const plan::Value &value = program.values[size_t(use)];
      if (value.buffer >= 0)
        named += (named.empty() ? "" : "; ") + std::string("buffer ") +
                 planOf(run).buffers[size_t(value.buffer)].name;
      else if (value.origin &&
               wholeOf(value.origin->name, run.microBatch).defined())
        named += (named.empty() ? "" : "; ") + value.origin->name + " as " +
                 Layout(*value.origin).text();
      else if (definedBy[size_t(use)] >= 0) {
        between.insert(size_t(definedBy[size_t(use)]));
        open.push_back(size_t(definedBy[size_t(use)]));
      }
    }
  }
  std::string out = "\n  computed from " + named;
  for (size_t at : between)
    out += "\n  by way of " + describe(run, at);
  return out;
}

std::string ValueComparison::writerOf(const std::string &buffer) const {
  std::vector<ProgramRun> runs = parts.runsByTime();
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    const plan::Program &program = programOf(*run);
    for (size_t i = program.instructions.size(); i > 0; --i) {
      const plan::Instruction &instruction = program.instructions[i - 1];
      auto isBuffer = [&](int32_t index) {
        int32_t bound = index < 0 ? -1 : program.values[size_t(index)].buffer;
        return bound >= 0 && planOf(*run).buffers[size_t(bound)].name == buffer;
      };
      bool writes = false;
      for (int32_t out : instruction.outs)
        writes |= isBuffer(out);
      if (isInPlace(instruction))
        for (int32_t use : usesOf(instruction))
          writes |= isBuffer(use);
      if (writes)
        return describe(*run, i - 1) + sources(*run, i - 1);
    }
  }
  return "";
}

} // namespace nxdt::runtime
