//===- Values.cpp - values inside of programs, compared -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Values.h"
#include "nxdt/Support/UserError.h"

#include "ATen/ops/clone.h"

#include <cmath>
#include <cstdio>
#include <set>

namespace nxdt::runtime {
namespace {

const plan::Program &programOf(const PlanRanks &ranks,
                               const std::string &name) {
  int index = ranks.rank(0).find(name);
  if (index < 0)
    throw UserError("a plan has no program '" + name + "' to be compared");
  return ranks.plan().programs[size_t(index)];
}

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

} // namespace

std::string shownApart(double relative) {
  if (!std::isfinite(relative))
    return "not finite or of another shape";
  char text[32];
  std::snprintf(text, sizeof(text), "%.1e", relative);
  return text;
}

Recording::Recording(PlanRanks &ranks)
    : ranks(ranks), values(size_t(ranks.size())) {
  ranks.observe([this](int64_t rank, const plan::Program &program, size_t index,
                       const std::vector<at::Tensor> &now) {
    if (!isOn)
      return;
    for (int32_t out : program.instructions[index].outs)
      if (out >= 0 && program.values[size_t(out)].origin)
        // A later instruction may write into it.
        values[size_t(rank)][out] = now[size_t(out)].clone();
  });
}

void Recording::start() {
  for (auto &ofRank : values)
    ofRank.clear();
  before.clear();
  for (const at::Tensor &buffer : ranks.rank(0).buffers())
    before.push_back(buffer.clone());
  isOn = true;
}

at::Tensor Recording::value(int64_t rank, int32_t index) const {
  auto it = values[size_t(rank)].find(index);
  return it == values[size_t(rank)].end() ? at::Tensor() : it->second;
}

at::Tensor Recording::bufferBefore(const std::string &name) const {
  const std::vector<plan::Buffer> &buffers = ranks.plan().buffers;
  for (size_t i = 0; i < before.size(); ++i)
    if (buffers[i].name == name)
      return before[i];
  return {};
}

ProgramComparison::ProgramComparison(const PlanRanks &ranks,
                                     const Recording &parts,
                                     const PlanRanks &whole,
                                     const Recording &wholeValues,
                                     const std::string &program,
                                     const Tolerance &allowed)
    : ranks(ranks), parts(parts), whole(whole), wholeValues(wholeValues),
      program(programOf(ranks, program)), allowed(allowed) {
  const plan::Program &other = programOf(whole, program);
  for (size_t i = 0; i < other.values.size(); ++i)
    if (other.values[i].origin)
      wholeIndex.emplace(other.values[i].origin->name, int32_t(i));
}

/// The value of that name in the whole plan. One that was computed in place is
/// in its buffer.
at::Tensor ProgramComparison::wholeOf(const std::string &name) const {
  if (auto it = wholeIndex.find(name); it != wholeIndex.end())
    return wholeValues.value(0, it->second);
  if (size_t at = name.find('@'); at != std::string::npos)
    return wholeValues.bufferBefore(name.substr(at + 1));
  if (size_t at = name.find('>'); at != std::string::npos)
    if (const at::Tensor *buffer =
            whole.rank(0).findBuffer(name.substr(at + 1)))
      return *buffer;
  return {};
}

Apart ProgramComparison::compare(int32_t index,
                                 const at::Tensor &expected) const {
  return compareWithWhole(
      Layout(*program.values[size_t(index)].origin), ranks.mesh(),
      [&](int64_t rank) { return parts.value(rank, index); }, expected,
      allowed);
}

std::string ProgramComparison::describe(size_t index) const {
  const plan::Instruction &instruction = program.instructions[index];
  std::string out = program.name + ", instruction " + std::to_string(index) +
                    ": " + instruction.op;
  if (instruction.kind == plan::OpKind::Collective) {
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
std::string ProgramComparison::sources(size_t index) const {
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
                 ranks.plan().buffers[size_t(value.buffer)].name;
      else if (value.origin && wholeOf(value.origin->name).defined())
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
    out += "\n  by way of " + describe(at);
  return out;
}

std::optional<std::string> ProgramComparison::firstDifference() {
  for (size_t i = 0; i < program.instructions.size(); ++i)
    for (int32_t index : program.instructions[i].outs) {
      if (index < 0 || !program.values[size_t(index)].origin)
        continue;
      const plan::Origin &origin = *program.values[size_t(index)].origin;
      at::Tensor expected = wholeOf(origin.name);
      if (!expected.defined())
        continue;
      Apart apart = compare(index, expected);
      ++numCompared;
      bool holds = allowed.holds(apart);
      if (!holds || largestAt.empty() ||
          apart.relative > largestApart.relative) {
        largestApart = apart;
        largestAt = origin.name + " (" + program.instructions[i].op + " in " +
                    program.instructions[i].module + ")";
      }
      if (!holds)
        return describe(i) + "\n  value " + origin.name + " as " +
               Layout(origin).text() + " on rank " +
               std::to_string(apart.rank) + ": " + shownApart(apart.relative) +
               " of its largest element (allowed are " +
               shownApart(allowed.all) + ")" + sources(i);
    }
  return std::nullopt;
}

std::string ProgramComparison::writerOf(const std::string &buffer) const {
  for (size_t i = program.instructions.size(); i > 0; --i) {
    const plan::Instruction &instruction = program.instructions[i - 1];
    auto isBuffer = [&](int32_t index) {
      int32_t bound = index < 0 ? -1 : program.values[size_t(index)].buffer;
      return bound >= 0 && ranks.plan().buffers[size_t(bound)].name == buffer;
    };
    bool writes = false;
    for (int32_t out : instruction.outs)
      writes |= isBuffer(out);
    if (isInPlace(instruction))
      for (int32_t use : usesOf(instruction))
        writes |= isBuffer(use);
    if (writes)
      return describe(i - 1) + sources(i - 1);
  }
  return program.name + " does not write it";
}

} // namespace nxdt::runtime
