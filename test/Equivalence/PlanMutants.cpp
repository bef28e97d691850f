//===- PlanMutants.cpp - ways to break a plan -----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include "nxdt/Plan/PlanVerify.h"

#include <algorithm>
#include <set>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

using Visit = std::function<void(const std::function<Mutant()> &)>;

/// Mutants of one collective.
class CollectiveMutants {
public:
  CollectiveMutants(const Plan &plan, size_t program, size_t at,
                    const Visit &visit)
      : plan(plan), program(program), at(at), visit(visit), mesh(meshOf(plan)) {
  }

  void run();

private:
  /// Hands out a mutant made by `change`, which gets the program to change.
  void add(const std::string &kind, std::function<void(Program &)> change);
  const Instruction &original() const {
    return plan.programs[program].instructions[at];
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

  const Plan &plan;
  size_t program, at;
  const Visit &visit;
  Mesh mesh;
};

std::string axesText(const Axes &axes) {
  std::string text = "[";
  for (const std::string &axis : axes)
    text += (text.size() > 1 ? "," : "") + axis;
  return text + "]";
}

void replaceUses(Program &program, size_t from, int32_t old, int32_t now) {
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

int32_t operandOf(const Instruction &instruction) {
  return std::get<ValueRef>(instruction.args[0]).index;
}

} // namespace

void CollectiveMutants::add(const std::string &kind,
                            std::function<void(Program &)> change) {
  visit([=, this] {
    Mutant mutant;
    mutant.kind = kind;
    mutant.place = plan.programs[program].name + " " + std::to_string(at) +
                   " " + original().op + " " + axesText(original().axes);
    mutant.plan = plan;
    Program &changed = mutant.plan.programs[program];
    change(changed);
    std::vector<std::vector<int32_t>> frees = lastUses(changed);
    for (size_t i = 0; i < frees.size(); ++i)
      changed.instructions[i].frees = frees[i];
    return mutant;
  });
}

/// It is forgotten; where shapes would not fit, something local that does takes
/// its place.
void CollectiveMutants::deletions() {
  if (original().collective == Collective::AllReduce)
    add("delete", [at = at](Program &p) {
      int32_t operand = operandOf(p.instructions[at]);
      int32_t out = p.instructions[at].outs[0];
      p.instructions.erase(p.instructions.begin() + at);
      replaceUses(p, at, out, operand);
    });
  if (original().collective == Collective::ReduceScatter)
    add("delete the sum of a reduce_scatter", [at = at](Program &p) {
      Instruction &i = p.instructions[at];
      i.collective = Collective::AllSlice;
      i.op = "nxdt::all_slice";
      i.reduction = Reduction::Sum;
    });
  if (original().collective == Collective::AllGather)
    add("delete (own part n times)",
        [at = at, n = ranks(original().axes)](Program &p) {
          Instruction i;
          i.op = "aten::cat";
          i.args = {std::vector<ValueRef>(n, {operandOf(p.instructions[at])}),
                    p.instructions[at].dim};
          i.outs = p.instructions[at].outs;
          p.instructions[at] = i;
        });
  if (original().collective == Collective::AllSlice)
    add("delete (first part on all ranks)", [at = at](Program &p) {
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
        [at = at, axes](Program &p) { p.instructions[at].axes = axes; });
  }
}

void CollectiveMutants::run() {
  deletions();
  otherAxes();
  if (original().collective != Collective::AllSlice)
    add("reduce twice", [at = at](Program &p) {
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
    add("sum for max, or the reverse", [at = at](Program &p) {
      Reduction &r = p.instructions[at].reduction;
      r = r == Reduction::Sum ? Reduction::Max : Reduction::Sum;
    });
  }
  if (original().collective == Collective::AllSlice)
    add("reduce what is whole", [at = at](Program &p) {
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
static void masks(const Plan &plan, size_t program, const Visit &visit) {
  const Program &body = plan.programs[program];
  std::set<int32_t> own = fromCoordinates(plan, body);
  for (size_t at = 0; at < body.instructions.size(); ++at) {
    const Instruction &i = body.instructions[at];
    if (i.op != "aten::masked_fill.Scalar" ||
        !own.contains(std::get<ValueRef>(i.args[1]).index) ||
        // Indices are masked to be legal; what they look up is masked again.
        body.values[i.outs[0]].dtype == DType::I64)
      continue;
    visit([=, &plan, &body] {
      Mutant mutant{"fill a mask with ones",
                    body.name + " " + std::to_string(at) + " " +
                        body.instructions[at].op,
                    plan,
                    {}};
      mutant.plan.programs[program].instructions[at].args[2] = 1.0;
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
    if (i.kind == OpKind::Collective && i.collective != Collective::AllSlice) {
      const Value &value = program.values[operandOf(i)];
      steps.push_back({i.axes, i.collective, i.reduction, value.dtype,
                       value.shape, i.dim, program.name});
    }
  return steps;
}

static std::string place(const Program &program, size_t at,
                         const CommStep &step) {
  return program.name + " " + std::to_string(at) +
         " nxdt::" + std::string(name(step.kind)) + " " + axesText(step.axes);
}

static void oneRank(const Plan &plan, const Program &program,
                    const Visit &visit) {
  std::vector<CommStep> steps = stepsOf(program);
  int64_t ranks = meshOf(plan).size();
  auto add = [&](const std::string &kind, size_t at,
                 std::function<void(std::vector<CommStep> &)> change) {
    visit([=, &plan, &program] {
      Mutant mutant{kind, place(program, at, steps[at]), plan, {}};
      for (int64_t rank = 0; rank < ranks; ++rank)
        mutant.classes.push_back({{rank}, steps});
      change(mutant.classes.back().steps);
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
    if (a.axes.size() == 1 && b.axes.size() == 1 && a.axes != b.axes)
      visit([=, &plan, &program] {
        Mutant mutant{
            "swap on every other rank", place(program, at, a), plan, {}};
        Mesh mesh = meshOf(plan);
        bool isAnySwapped = false;
        for (int64_t rank = 0; rank < ranks; ++rank) {
          mutant.classes.push_back({{rank}, steps});
          int64_t sum = groupIndex(mesh, toGroupSpec(a.axes), rank) +
                        groupIndex(mesh, toGroupSpec(b.axes), rank);
          // Of groups within groups one rank is enough.
          if (sum % 2 == 0 && (isAnySwapped || rank + 1 < ranks))
            continue;
          swap(mutant.classes.back().steps);
          isAnySwapped = true;
        }
        return mutant;
      });
  }
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

static void declarations(const Plan &plan, const Visit &visit) {
  for (size_t b = 0; b < plan.buffers.size(); ++b) {
    const Buffer &buffer = plan.buffers[b];
    auto add = [&](const std::string &kind,
                   std::function<void(Buffer &)> change) {
      visit([=, &plan] {
        Mutant mutant{kind, plan.buffers[b].name, plan, {}};
        change(mutant.plan.buffers[b]);
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

void nxdt::forEachMutant(const Plan &plan, const Visit &visit) {
  for (size_t program = 0; program < plan.programs.size(); ++program) {
    const Program &body = plan.programs[program];
    for (size_t at = 0; at < body.instructions.size(); ++at)
      if (body.instructions[at].kind == OpKind::Collective)
        CollectiveMutants(plan, program, at, visit).run();
    masks(plan, program, visit);
    oneRank(plan, body, visit);
  }
  declarations(plan, visit);
}
