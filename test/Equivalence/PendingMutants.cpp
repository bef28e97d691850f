//===- PendingMutants.cpp - ways to break what is under way --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include <algorithm>
#include <utility>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

std::vector<int32_t> listOf(const Arg &arg) {
  std::vector<int32_t> out;
  if (auto *ref = std::get_if<ValueRef>(&arg))
    out.push_back(ref->index);
  if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
    for (ValueRef ref : *refs)
      out.push_back(ref.index);
  return out;
}

bool holds(const std::vector<int32_t> &list, int32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Mutants of one start and its wait.
class StartMutants {
public:
  StartMutants(const PlanFamily &family, size_t stage, size_t program,
               size_t start, const Visit &visit)
      : family(family), stage(stage), program(program), start(start),
        visit(visit) {
    while (wait < body().instructions.size() && !isItsWait(wait))
      ++wait;
  }

  void run() {
    if (wait == body().instructions.size())
      return;
    whole();
    times();
    tensors();
    inputs();
  }

private:
  const Program &body() const { return family.stages[stage].programs[program]; }
  const Instruction &original() const { return body().instructions[start]; }

  bool isItsWait(size_t i) const {
    const Instruction &other = body().instructions[i];
    return other.kind == OpKind::Wait &&
           listOf(other.args[0]) == original().outs;
  }

  void add(const std::string &kind, std::function<void(Program &)> change) {
    visit([=, &family = family, stage = stage, program = program,
           place = body().name + " " + std::to_string(start) + " start of " +
                   original().op + " " + axesText(original().axes) +
                   stageText(family, stage)] {
      Mutant mutant{kind, place, family};
      Program &changed = mutant.family.stages[stage].programs[program];
      change(changed);
      deriveFrees(changed);
      return mutant;
    });
  }

  static void erase(Program &p, size_t at) {
    p.instructions.erase(p.instructions.begin() + at);
  }
  static void move(Program &p, size_t from, size_t to) {
    Instruction moved = p.instructions[from];
    erase(p, from);
    p.instructions.insert(p.instructions.begin() + to, moved);
  }

  void whole() {
    add("wait deleted", [wait = wait](Program &p) { erase(p, wait); });
    add("wait duplicated", [wait = wait](Program &p) {
      Instruction again = p.instructions[wait];
      p.instructions.insert(p.instructions.begin() + wait, again);
    });
    add("start deleted", [start = start](Program &p) { erase(p, start); });
    add("start and wait deleted", [start = start, wait = wait](Program &p) {
      std::vector<int32_t> outs = p.instructions[start].outs;
      std::vector<Arg> args = p.instructions[start].args;
      bool isSameShape =
          p.instructions[start].collective == Collective::AllReduce;
      erase(p, wait);
      erase(p, start);
      for (size_t i = 0; isSameShape && i < outs.size(); ++i)
        replaceUses(p, start, outs[i], std::get<ValueRef>(args[i]).index);
    });
    add("start duplicated", [start = start](Program &p) {
      Instruction again = p.instructions[start];
      p.instructions.insert(p.instructions.begin() + start, again);
    });
    add("start: another reduction", [start = start](Program &p) {
      Reduction &r = p.instructions[start].reduction;
      r = r == Reduction::Sum ? Reduction::Max : Reduction::Sum;
    });
    add("start: all over again", [start = start, wait = wait](Program &p) {
      reduceAgain(p, start, wait);
    });
    for (const auto &[axis, size] : family.stages[stage].mesh)
      if (Axes axes = {axis}; size > 1 && axes != original().axes)
        add("start: other axes", [start = start, axes](Program &p) {
          p.instructions[start].axes = axes;
        });
    if (original().collective != Collective::AllReduce)
      add("start: another dimension", [start = start](Program &p) {
        p.instructions[start].dim = p.instructions[start].dim ? 0 : 1;
      });
  }

  /// An all_reduce of what has been reduced, under way after the first.
  static void reduceAgain(Program &p, size_t start, size_t wait) {
    Instruction again = p.instructions[start], done = p.instructions[wait];
    again.collective = Collective::AllReduce;
    again.op = "nxdt::all_reduce";
    again.reduction = Reduction::Sum;
    again.dim = 0;
    std::vector<ValueRef> ins, outs;
    for (size_t i = 0; i < again.outs.size(); ++i) {
      int32_t now = int32_t(p.values.size());
      p.values.push_back(p.values[again.outs[i]]);
      p.values.back().buffer = -1;
      replaceUses(p, wait + 1, again.outs[i], now);
      again.args[i] = ValueRef{again.outs[i]};
      ins.push_back({again.outs[i]});
      outs.push_back({now});
      again.outs[i] = now;
    }
    done.args = {outs, ins};
    p.instructions.insert(p.instructions.begin() + wait + 1, {again, done});
  }

  bool uses(size_t at, const std::vector<int32_t> &values) const {
    for (const Arg &arg : body().instructions[at].args)
      for (int32_t value : listOf(arg))
        if (holds(values, value))
          return true;
    return false;
  }

  /// Earlier than what makes an input, later than who reads a result.
  void times() {
    std::vector<int32_t> given;
    for (const Arg &arg : original().args)
      for (int32_t value : listOf(arg))
        given.push_back(value);
    for (size_t at = start; at-- > 0;)
      if (std::any_of(body().instructions[at].outs.begin(),
                      body().instructions[at].outs.end(),
                      [&](int32_t out) { return holds(given, out); })) {
        add("start before what makes its input",
            [start = start, at](Program &p) { move(p, start, at); });
        break;
      }
    for (size_t at = wait + 1; at < body().instructions.size(); ++at)
      if (uses(at, original().outs)) {
        add("wait behind a use",
            [wait = wait, at](Program &p) { move(p, wait, at); });
        add("use before the wait",
            [wait = wait, at](Program &p) { move(p, at, wait); });
        break;
      }
    add("wait before its start",
        [start = start, wait = wait](Program &p) { move(p, wait, start); });
  }

  /// One of the tensors of a start.
  void tensors() {
    size_t count = original().args.size();
    if (count > 1) {
      for (size_t i : {size_t(0), count - 1}) {
        add("a tensor dropped from a start", [start = start, i](Program &p) {
          Instruction &s = p.instructions[start];
          s.args.erase(s.args.begin() + i);
          s.outs.erase(s.outs.begin() + i);
          if (!s.parts.empty())
            s.parts.erase(s.parts.begin() + i);
        });
        add("a tensor dropped from a wait", [wait = wait, i](Program &p) {
          for (Arg &arg : p.instructions[wait].args)
            if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
              refs->erase(refs->begin() + i);
        });
        add("a tensor dropped from both",
            [start = start, wait = wait, i](Program &p) {
              Instruction &s = p.instructions[start];
              s.args.erase(s.args.begin() + i);
              s.outs.erase(s.outs.begin() + i);
              if (!s.parts.empty())
                s.parts.erase(s.parts.begin() + i);
              for (Arg &arg : p.instructions[wait].args)
                if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
                  refs->erase(refs->begin() + i);
            });
      }
      add("two tensors exchanged in a wait", [wait = wait](Program &p) {
        if (auto *refs = std::get_if<std::vector<ValueRef>>(
                &p.instructions[wait].args[0]))
          std::swap(refs->front(), refs->back());
      });
    }
    // Those of one type are told apart by a simulation only: once per start.
    bool isSeen[2] = {};
    for (size_t i = 0; i + 1 < count; ++i) {
      const Value &a = body().values[listOf(original().args[i])[0]];
      const Value &b = body().values[listOf(original().args[i + 1])[0]];
      bool isOneType = a.dtype == b.dtype && a.shape == b.shape;
      if (std::exchange(isSeen[isOneType], true))
        continue;
      add(isOneType ? "two results exchanged, of one type"
                    : "two results exchanged",
          [start = start, wait = wait, i](Program &p) {
            std::swap(p.instructions[start].outs[i],
                      p.instructions[start].outs[i + 1]);
            auto *refs = std::get_if<std::vector<ValueRef>>(
                &p.instructions[wait].args[0]);
            if (refs)
              std::swap((*refs)[i], (*refs)[i + 1]);
          });
    }
  }

  /// An input is doubled, or a result read, while it is under way.
  void inputs() {
    int32_t input = listOf(original().args[0])[0];
    add("an input changed while it is under way",
        [start = start, input](Program &p) {
          Instruction twice;
          twice.op = "aten::mul_.Scalar";
          twice.args = {ValueRef{input}, 2.0};
          twice.outs = {-1};
          twice.module = p.instructions[start].module;
          p.instructions.insert(p.instructions.begin() + start + 1, twice);
        });
    int32_t result = original().outs[0];
    add("a result read while it is under way",
        [start = start, result](Program &p) {
          int32_t read = int32_t(p.values.size());
          p.values.push_back(p.values[result]);
          p.values.back().buffer = -1;
          Instruction clone;
          clone.op = "aten::clone";
          clone.args = {ValueRef{result}, None{}};
          clone.outs = {read};
          clone.module = p.instructions[start].module;
          p.instructions.insert(p.instructions.begin() + start + 1, clone);
        });
  }

  const PlanFamily &family;
  size_t stage, program, start, wait = 0;
  const Visit &visit;
};

} // namespace

void nxdt::forEachPendingMutant(const PlanFamily &family, const Visit &visit) {
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (size_t p = 0; p < family.stages[stage].programs.size(); ++p) {
      const Program &body = family.stages[stage].programs[p];
      for (size_t at = 0; at < body.instructions.size(); ++at)
        if (body.instructions[at].kind == OpKind::Start)
          StartMutants(family, stage, p, at, visit).run();
    }
}
