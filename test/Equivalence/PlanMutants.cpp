//===- PlanMutants.cpp - ways to break a plan -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanVerify.h"

#include <algorithm>
#include <set>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

/// Where an instruction is.
struct Place {
  size_t stage, program, at;
};

/// Mutants of one collective, or of those that stages meet in, on each.
class CollectiveMutants {
public:
  CollectiveMutants(const PlanFamily &family, std::vector<Place> places,
                    const Visit &visit)
      : family(family), places(std::move(places)), visit(visit),
        mesh(meshOf(family.stages[0])) {}

  void run();

private:
  /// Hands out a mutant made by `change`, which gets the program to change and
  /// the instruction's index.
  void add(const std::string &kind,
           std::function<void(Program &, size_t)> change);
  const Program &program() const {
    return family.stages[places[0].stage].programs[places[0].program];
  }
  const Instruction &original() const {
    return program().instructions[places[0].at];
  }
  int64_t ranks(const Axes &axes) const {
    return groupSize(mesh, toGroupSpec(axes));
  }
  bool reduces() const {
    return original().collective == Collective::AllReduce ||
           original().collective == Collective::ReduceScatter;
  }
  void deletions();
  void otherAxes();

  const PlanFamily &family;
  std::vector<Place> places;
  const Visit &visit;
  Mesh mesh;
};

int32_t operandOf(const Instruction &instruction) {
  return std::get<ValueRef>(instruction.args[0]).index;
}

} // namespace

std::string nxdt::axesText(const Axes &axes) {
  std::string text = "[";
  for (const std::string &axis : axes)
    text += (text.size() > 1 ? "," : "") + axis;
  return text + "]";
}

std::string nxdt::stageText(const PlanFamily &family, size_t stage) {
  return family.stages.size() == 1 ? "" : " of stage " + std::to_string(stage);
}

void nxdt::replaceUses(Program &program, size_t from, int32_t old,
                       int32_t now) {
  for (size_t i = from; i < program.instructions.size(); ++i)
    for (Arg &arg : program.instructions[i].args) {
      if (auto *ref = std::get_if<ValueRef>(&arg); ref && ref->index == old)
        ref->index = now;
      if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
        for (ValueRef &ref : *refs)
          if (ref.index == old)
            ref.index = now;
    }
}

void nxdt::deriveFrees(Program &program) {
  std::set<int32_t> carries;
  for (const Instruction &i : program.instructions)
    for (int32_t value : i.frees)
      if (program.values[value].buffer >= 0)
        carries.insert(value);
  std::vector<std::vector<int32_t>> frees = lastUses(program);
  for (size_t i = 0; i < frees.size(); ++i)
    program.instructions[i].frees = frees[i];
  for (int32_t value : carries) {
    size_t last = program.instructions.size() - 1;
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      const Instruction &instruction = program.instructions[i];
      bool uses =
          std::find(instruction.outs.begin(), instruction.outs.end(), value) !=
              instruction.outs.end() ||
          std::find(instruction.gradOuts.begin(), instruction.gradOuts.end(),
                    value) != instruction.gradOuts.end();
      for (const Arg &arg : instruction.args) {
        if (auto *ref = std::get_if<ValueRef>(&arg))
          uses |= ref->index == value;
        if (auto *refs = std::get_if<std::vector<ValueRef>>(&arg))
          uses |= std::find(refs->begin(), refs->end(), ValueRef{value}) !=
                  refs->end();
      }
      if (uses)
        last = i;
    }
    program.instructions[last].frees.push_back(value);
  }
}

void CollectiveMutants::add(const std::string &kind,
                            std::function<void(Program &, size_t)> change) {
  visit([=, this] {
    Mutant mutant;
    mutant.kind = kind + (places.size() > 1 ? " on all stages" : "");
    mutant.place =
        program().name + " " + std::to_string(places[0].at) + " " +
        original().op + " " + axesText(original().axes) +
        (places.size() > 1 ? "" : stageText(family, places[0].stage));
    mutant.family = family;
    for (const Place &place : places) {
      Program &changed =
          mutant.family.stages[place.stage].programs[place.program];
      change(changed, place.at);
      deriveFrees(changed);
    }
    return mutant;
  });
}

/// It is forgotten; where shapes would not fit, something local that does takes
/// its place.
void CollectiveMutants::deletions() {
  if (original().collective == Collective::AllReduce)
    add("delete", [](Program &p, size_t at) {
      int32_t operand = operandOf(p.instructions[at]);
      int32_t out = p.instructions[at].outs[0];
      p.instructions.erase(p.instructions.begin() + at);
      replaceUses(p, at, out, operand);
    });
  if (original().collective == Collective::ReduceScatter)
    add("delete the sum of a reduce_scatter", [](Program &p, size_t at) {
      Instruction &i = p.instructions[at];
      i.collective = Collective::AllSlice;
      i.op = "nxdt::all_slice";
      i.reduction = Reduction::Sum;
    });
  if (original().collective == Collective::AllGather)
    add("delete (own part n times)",
        [n = ranks(original().axes)](Program &p, size_t at) {
          Instruction i;
          i.op = "aten::cat";
          i.args = {std::vector<ValueRef>(n, {operandOf(p.instructions[at])}),
                    p.instructions[at].dim};
          i.outs = p.instructions[at].outs;
          p.instructions[at] = i;
        });
  if (original().collective == Collective::AllSlice)
    add("delete (first part on all ranks)", [](Program &p, size_t at) {
      const Instruction &old = p.instructions[at];
      Instruction i;
      i.op = "aten::slice.Tensor";
      i.args = {ValueRef{operandOf(old)}, old.dim, int64_t(0),
                p.values[old.outs[0]].shape[old.dim], int64_t(1)};
      i.outs = old.outs;
      p.instructions[at] = i;
    });
}

/// Other groups that give the same shapes.
void CollectiveMutants::otherAxes() {
  std::vector<std::string> names;
  for (const MeshAxis &axis : mesh.axes)
    if (axis.size > 1)
      names.push_back(axis.name);
  std::set<Axes> others;
  for (const std::string &a : names) {
    others.insert({a});
    int64_t size = 0;
    for (const MeshAxis &axis : mesh.axes)
      if (axis.name == a)
        size = axis.size;
    if (size % 2 == 0 && size > 2) {
      others.insert({a + ":(1)" + std::to_string(size / 2)});
      others.insert({a + ":(2)" + std::to_string(size / 2)});
      others.insert({a + ":(1)2"});
    }
    for (const std::string &b : names)
      if (a != b)
        others.insert({a, b});
  }
  others.erase(original().axes);
  for (const Axes &axes : others) {
    bool isAllReduce = original().collective == Collective::AllReduce;
    if (!isAllReduce && ranks(axes) != ranks(original().axes))
      continue;
    // The order of a group that only sums means nothing.
    Axes sorted = axes, own = original().axes;
    std::sort(sorted.begin(), sorted.end());
    std::sort(own.begin(), own.end());
    if (isAllReduce && sorted == own)
      continue;
    add("re-axes",
        [axes](Program &p, size_t at) { p.instructions[at].axes = axes; });
  }
}

void CollectiveMutants::run() {
  deletions();
  otherAxes();
  if (original().collective != Collective::AllSlice)
    add("reduce twice", [](Program &p, size_t at) {
      Instruction again = p.instructions[at];
      again.collective = Collective::AllReduce;
      again.op = "nxdt::all_reduce";
      again.dim = 0;
      int32_t out = again.outs[0];
      int32_t twice = p.values.size();
      p.values.push_back(p.values[out]);
      again.args = {ValueRef{out}};
      again.outs = {twice};
      replaceUses(p, at + 1, out, twice);
      p.instructions.insert(p.instructions.begin() + at + 1, again);
    });
  if (reduces()) {
    add("sum for max, or the reverse", [](Program &p, size_t at) {
      Reduction &r = p.instructions[at].reduction;
      r = r == Reduction::Sum ? Reduction::Max : Reduction::Sum;
    });
  }
  if (original().collective == Collective::AllSlice)
    add("reduce what is whole", [](Program &p, size_t at) {
      p.instructions[at].collective = Collective::ReduceScatter;
      p.instructions[at].op = "nxdt::reduce_scatter";
    });
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// Values that depend on the rank's coordinates, by what they are computed
/// from.
static std::set<int32_t> fromCoordinates(const Plan &plan,
                                         const Program &program) {
  std::set<int32_t> found;
  for (size_t i = 0; i < program.values.size(); ++i)
    if (int32_t buffer = program.values[i].buffer;
        buffer >= 0 && plan.buffers[buffer].role == Role::Coordinate)
      found.insert(i);
  for (const Instruction &i : program.instructions)
    for (const Arg &arg : i.args)
      if (auto *ref = std::get_if<ValueRef>(&arg);
          ref && found.contains(ref->index) &&
          // Of what is masked nothing is left.
          (i.op != "aten::masked_fill.Scalar" || &arg != &i.args[1]))
        found.insert(i.outs.begin(), i.outs.end());
  return found;
}

/// What ranks leave out on purpose, of padding and of lookups, is filled with
/// something else. (Without the mask it may be zero all the same: many masks
/// are of what is zero already.)
static void masks(const PlanFamily &family, size_t stage, size_t program,
                  const Visit &visit) {
  const Plan &plan = family.stages[stage];
  const Program &body = plan.programs[program];
  std::set<int32_t> own = fromCoordinates(plan, body);
  for (size_t at = 0; at < body.instructions.size(); ++at) {
    const Instruction &i = body.instructions[at];
    if (i.op != "aten::masked_fill.Scalar" ||
        !own.contains(std::get<ValueRef>(i.args[1]).index) ||
        // Indices are masked to be legal; what they look up is masked again.
        body.values[i.outs[0]].dtype == DType::I64)
      continue;
    visit([=, &family, &body] {
      Mutant mutant{"fill a mask with ones",
                    body.name + " " + std::to_string(at) + " " +
                        body.instructions[at].op + stageText(family, stage),
                    family};
      Program &changed = mutant.family.stages[stage].programs[program];
      changed.instructions[at].args[2] = 1.0;
      return mutant;
    });
  }
}

//===----------------------------------------------------------------------===//
// One rank does something else
//===----------------------------------------------------------------------===//

static std::vector<CommStep> stepsOf(const Program &program) {
  std::vector<CommStep> steps;
  for (const Instruction &i : program.instructions)
    if (isCollective(i) && i.collective != Collective::AllSlice)
      for (const Transfer &transfer : transfersOf(i)) {
        const Value &value = program.values[transfer.input];
        steps.push_back({i.axes, i.collective, i.reduction, value.dtype,
                         value.shape, i.dim, program.name});
      }
  return steps;
}

static bool spansStages(const Axes &axes) {
  return std::find(axes.begin(), axes.end(), "pp") != axes.end();
}

static void oneRank(const PlanFamily &family, size_t stage,
                    const Program &program, const Visit &visit) {
  Mesh mesh = meshOf(family.stages[0]);
  std::vector<CommStep> steps = stepsOf(program);
  // By rank: what its stage has under that name.
  std::vector<CommClass> all;
  int64_t last = 0;
  for (int64_t rank = 0; rank < mesh.size(); ++rank) {
    CommClass &own = all.emplace_back(CommClass{{rank}, {}});
    int64_t itsStage = stageOf(mesh, rank);
    if (itsStage == int64_t(stage))
      last = rank;
    for (const Program &other : family.stages[itsStage].programs)
      if (other.name == program.name)
        own.steps = stepsOf(other);
  }
  auto placeOf = [&](size_t at) {
    return program.name + " " + std::to_string(at) +
           " nxdt::" + std::string(name(steps[at].kind)) + " " +
           axesText(steps[at].axes) + stageText(family, stage);
  };
  auto add = [&](const std::string &kind, size_t at,
                 std::function<void(std::vector<CommStep> &)> change) {
    visit([=, &family, place = placeOf(at)] {
      Mutant mutant{kind, place, family, all};
      change(mutant.classes[last].steps);
      return mutant;
    });
  };
  for (size_t at = 0; at < steps.size(); ++at) {
    add("delete on one rank", at,
        [at](std::vector<CommStep> &list) { list.erase(list.begin() + at); });
    add("duplicate on one rank", at, [at](std::vector<CommStep> &list) {
      list.insert(list.begin() + at, list[at]);
    });
    if (at + 1 == steps.size())
      continue;
    const CommStep &a = steps[at], &b = steps[at + 1];
    auto swap = [at](std::vector<CommStep> &list) {
      std::swap(list[at], list[at + 1]);
    };
    // Two that cannot be told apart are exchanged in no plan: it has one
    // program for all ranks. One rank alone may do two groups the other way
    // round: all still meet.
    bool isTold = a.kind != b.kind || a.dtype != b.dtype ||
                  a.shape != b.shape || a.dim != b.dim;
    if (a.axes == b.axes && isTold)
      add("swap on one rank", at, swap);
    if (a.axes.size() != 1 || b.axes.size() != 1 || a.axes == b.axes)
      continue;
    // Groups over stages meet those of other stages: once for all.
    bool isOfAll = spansStages(a.axes) || spansStages(b.axes);
    if (isOfAll && stage > 0)
      continue;
    visit([=, &family, place = placeOf(at)] {
      Mutant mutant{"swap on every other rank", place, family, all};
      bool isAnySwapped = false;
      for (int64_t rank = 0; rank < mesh.size(); ++rank) {
        std::vector<CommStep> &own = mutant.classes[rank].steps;
        bool isIts = isOfAll ? own.size() > at + 1 && own[at].axes == a.axes &&
                                   own[at + 1].axes == b.axes
                             : stageOf(mesh, rank) == int64_t(stage);
        int64_t sum = groupIndex(mesh, toGroupSpec(a.axes), rank) +
                      groupIndex(mesh, toGroupSpec(b.axes), rank);
        // Of groups within groups one rank is enough.
        if (!isIts || (sum % 2 == 0 && (isAnySwapped || rank != last)))
          continue;
        swap(own);
        isAnySwapped = true;
      }
      return mutant;
    });
  }
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

static void declarations(const PlanFamily &family, size_t stage,
                         const Visit &visit) {
  const Plan &plan = family.stages[stage];
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    const Buffer &buffer = plan.buffers[b];
    auto add = [&](const std::string &kind,
                   std::function<void(Buffer &)> change) {
      visit([=, &family, name = buffer.name] {
        Mutant mutant{kind, name + stageText(family, stage), family};
        change(mutant.family.stages[stage].buffers[b]);
        return mutant;
      });
    };
    if (!buffer.partial.empty())
      add("declare a partial sum whole",
          [](Buffer &changed) { changed.partial.clear(); });
    if (buffer.role == Role::Scalar || buffer.role == Role::Grad ||
        buffer.role == Role::Param)
      for (const auto &[axis, size] : plan.mesh) {
        Axes axes = {axis};
        bool isNamed = std::find(buffer.partial.begin(), buffer.partial.end(),
                                 axis) != buffer.partial.end();
        for (const Axes &split : buffer.split)
          for (const std::string &other : split)
            isNamed = isNamed || other.starts_with(axis);
        if (size > 1 && !isNamed)
          add("declare a whole partial", [axes](Buffer &changed) {
            changed.partial.insert(changed.partial.end(), axes.begin(),
                                   axes.end());
          });
      }
  }
}

//===----------------------------------------------------------------------===//
// All of it
//===----------------------------------------------------------------------===//

/// The n-th collective over stages of the program, on every stage.
static std::vector<Place> onAllStages(const PlanFamily &family,
                                      const std::string &program, size_t n) {
  std::vector<Place> places;
  for (size_t stage = 0; stage < family.stages.size(); ++stage)
    for (size_t p = 0; p < family.stages[stage].programs.size(); ++p) {
      const Program &body = family.stages[stage].programs[p];
      if (body.name != program)
        continue;
      size_t seen = 0;
      for (size_t at = 0; at < body.instructions.size(); ++at)
        if (spansStages(body.instructions[at].axes) && seen++ == n)
          places.push_back({stage, p, at});
    }
  return places;
}

void nxdt::forEachMutant(const PlanFamily &family, const Visit &visit) {
  for (size_t stage = 0; stage < family.stages.size(); ++stage) {
    const Plan &plan = family.stages[stage];
    for (size_t program = 0; program < plan.programs.size(); ++program) {
      const Program &body = plan.programs[program];
      size_t overStages = 0;
      for (size_t at = 0; at < body.instructions.size(); ++at) {
        if (body.instructions[at].kind != OpKind::Collective)
          continue;
        CollectiveMutants(family, {{stage, program, at}}, visit).run();
        if (spansStages(body.instructions[at].axes) && stage == 0)
          CollectiveMutants(family,
                            onAllStages(family, body.name, overStages++), visit)
              .run();
      }
      masks(family, stage, program, visit);
      oneRank(family, stage, body, visit);
    }
    declarations(family, stage, visit);
  }
  forEachPendingMutant(family, visit);
  if (family.stages.size() == 1)
    return;
  forEachScheduleMutant(family, visit);
  forEachFamilyMutant(family, visit);
}
