//===- FamilyMutants.cpp - ways to break what joins stages ---------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include <algorithm>
#include <set>

using namespace nxdt;
using namespace nxdt::plan;

namespace {

class FamilyMutants {
public:
  FamilyMutants(const PlanFamily &family, const Visit &visit)
      : family(family), visit(visit) {}

  void run() {
    for (size_t stage = 0; stage < family.stages.size(); ++stage) {
      const std::vector<Channel> &list = family.stages[stage].channels;
      for (size_t i = 0; i < list.size(); ++i) {
        channel(stage, i);
        for (size_t other = i + 1; other < list.size(); ++other)
          channels(stage, i, other);
      }
      shared(stage);
    }
    for (const Channel &channel : family.stages[0].channels)
      lostExchange(channel);
    for (const Channel &channel : family.stages.back().channels)
      if (channel.peer != 0)
        lostExchange(channel);
  }

private:
  void add(const std::string &kind, const std::string &place,
           std::function<void(PlanFamily &)> change) {
    visit([=, &family = family] {
      Mutant mutant{kind, place, family};
      change(mutant.family);
      return mutant;
    });
  }

  /// One end of a channel.
  void channel(size_t stage, size_t i) {
    const Channel &original = family.stages[stage].channels[i];
    std::string place = original.name + stageText(family, stage);
    auto change = [&](const std::string &kind,
                      std::function<void(Plan &, Channel &)> what) {
      add("channel: " + kind, place, [=](PlanFamily &changed) {
        Plan &plan = changed.stages[stage];
        what(plan, plan.channels[i]);
      });
    };
    for (size_t peer = 0; peer < family.stages.size(); ++peer)
      if (int64_t(peer) != original.peer)
        change("another peer",
               [peer](Plan &, Channel &end) { end.peer = int64_t(peer); });
    change("the other direction",
           [](Plan &, Channel &end) { end.isSend = !end.isSend; });
    change("another type", [](Plan &plan, Channel &end) {
      retype(plan, end.buffer, [](DType &dtype, std::vector<int64_t> &) {
        dtype = dtype == DType::F32 ? DType::BF16 : DType::F32;
      });
    });
    change("another shape", [](Plan &plan, Channel &end) {
      retype(plan, end.buffer,
             [](DType &, std::vector<int64_t> &shape) { shape.back() += 2; });
      plan.buffers[end.buffer].logicalShape.back() += 2;
    });
  }

  /// A buffer and all values that are bound to it.
  static void
  retype(Plan &plan, int32_t buffer,
         const std::function<void(DType &, std::vector<int64_t> &)> &change) {
    change(plan.buffers[buffer].dtype, plan.buffers[buffer].shape);
    for (Program &program : plan.programs)
      for (Value &value : program.values)
        if (value.buffer == buffer)
          change(value.dtype, value.shape);
  }

  /// Two channels of one stage that carry the same type the same way.
  void channels(size_t stage, size_t i, size_t other) {
    const Plan &plan = family.stages[stage];
    const Channel &a = plan.channels[i], &b = plan.channels[other];
    const Buffer &x = plan.buffers[a.buffer], &y = plan.buffers[b.buffer];
    if (a.isSend != b.isSend || x.dtype != y.dtype || x.shape != y.shape)
      return;
    std::string place = a.name + " and " + b.name + stageText(family, stage);
    add("channels: exchange the tensors", place, [=](PlanFamily &changed) {
      std::vector<Channel> &list = changed.stages[stage].channels;
      std::swap(list[i].buffer, list[other].buffer);
    });
    if (a.peer == b.peer)
      add("channels: exchange the names", place, [=](PlanFamily &changed) {
        std::vector<Channel> &list = changed.stages[stage].channels;
        std::swap(list[i].name, list[other].name);
      });
  }

  /// Without any trace of it in the schedules: the message, what makes it and
  /// what takes it. (Of passes this leaves a carry that nobody makes.)
  void lostExchange(const Channel &channel) {
    add("a channel unused", channel.name,
        [name = channel.name](PlanFamily &changed) {
          for (Plan &plan : changed.stages) {
            int32_t index = -1;
            for (size_t i = 0; i < plan.channels.size(); ++i)
              if (plan.channels[i].name == name)
                index = int32_t(i);
            if (index < 0)
              continue;
            int32_t buffer = plan.channels[index].buffer;
            // What only serves it is emptied: nothing is left to complain.
            for (Program &program : plan.programs)
              if (serves(program, buffer))
                program = {program.name, {}, {}};
            for (Schedule &schedule : plan.schedules)
              std::erase_if(schedule.actions, [&](const Action &action) {
                switch (action.kind) {
                case ActionKind::Free:
                  return action.index == buffer;
                case ActionKind::Run:
                  return plan.programs[action.index].values.empty();
                default:
                  return action.index == index;
                }
              });
          }
        });
  }

  /// Whether the program is no pass, and has to do with the buffer.
  static bool serves(const Program &program, int32_t buffer) {
    bool isPass = program.name.starts_with("forward.") ||
                  program.name.starts_with("backward.") ||
                  program.name.starts_with("eval.");
    return !isPass &&
           std::any_of(program.values.begin(), program.values.end(),
                       [&](const Value &v) { return v.buffer == buffer; });
  }

  /// Weights that several stages hold.
  void shared(size_t stage) {
    const Plan &plan = family.stages[stage];
    for (size_t b = 0; b < plan.buffers.size(); ++b) {
      const Buffer &param = plan.buffers[b];
      if (param.role != Role::Param || !isOnOthers(param.param, stage))
        continue;
      std::string place = param.name + stageText(family, stage);
      add("tied weight: another initial value", place,
          [=](PlanFamily &changed) {
            Buffer &own = changed.stages[stage].buffers[b];
            own.init.kind = Init::Kind::Normal;
            own.init.b = own.init.b * 2 + 1;
          });
      for (size_t g = 0; g < plan.buffers.size(); ++g)
        if (plan.buffers[g].role == Role::Grad &&
            plan.buffers[g].param == param.param)
          countInNorm(stage, int32_t(g), place);
    }
    for (size_t p = 0; p < plan.programs.size(); ++p)
      if (plan.programs[p].name.find("shared") != std::string::npos)
        exchangeProgram(stage, p);
  }

  bool isOnOthers(const std::string &param, size_t stage) const {
    for (size_t other = 0; other < family.stages.size(); ++other)
      for (const Buffer &buffer : family.stages[other].buffers)
        if (other != stage && buffer.role == Role::Param &&
            buffer.param == param)
          return true;
    return false;
  }

  /// Adds the gradient's squares to the sum of them, once more or on a stage
  /// where they are another's to count.
  void countInNorm(size_t stage, int32_t grad, const std::string &place) {
    const Plan &plan = family.stages[stage];
    for (size_t p = 0; p < plan.programs.size(); ++p) {
      const Program &program = plan.programs[p];
      if (program.name != "finish_step")
        continue;
      for (size_t at = 0; at < program.instructions.size(); ++at) {
        if (program.instructions[at].op != "aten::sum")
          continue;
        add("tied weight: squares counted once more", place,
            [=](PlanFamily &changed) {
              addSquares(changed.stages[stage],
                         changed.stages[stage].programs[p], at, grad);
            });
        return;
      }
    }
  }

  static void addSquares(Plan &plan, Program &program, size_t at,
                         int32_t grad) {
    const Buffer &buffer = plan.buffers[grad];
    int32_t first = int32_t(program.values.size());
    int32_t sum = program.instructions[at].outs[0];
    program.values.push_back({buffer.dtype, buffer.shape, grad, {}});
    for (int i = 0; i < 3; ++i)
      program.values.push_back({DType::F32, {}, -1, {}});
    replaceUses(program, at + 1, sum, first + 3);
    Instruction norm, square, add;
    norm.op = "aten::linalg_vector_norm";
    norm.args = {ValueRef{first}, int64_t(2), None{}, false, DType::F32};
    norm.outs = {first + 1};
    square.op = "aten::pow.Tensor_Scalar";
    square.args = {ValueRef{first + 1}, int64_t(2)};
    square.outs = {first + 2};
    add.op = "aten::add.Tensor";
    add.args = {ValueRef{sum}, ValueRef{first + 2}, int64_t(1)};
    add.outs = {first + 3};
    program.instructions.insert(program.instructions.begin() + at + 1,
                                {norm, square, add});
    deriveFrees(program);
  }

  /// What a program does with a copy's gradient or the owner's weight.
  void exchangeProgram(size_t stage, size_t p) {
    const Program &program = family.stages[stage].programs[p];
    for (size_t at = 0; at < program.instructions.size(); ++at) {
      const Instruction &original = program.instructions[at];
      std::string place = program.name + " " + std::to_string(at) + " " +
                          original.op + stageText(family, stage);
      auto change = [&](const std::string &kind,
                        std::function<void(Program &)> what) {
        add("tied weight: " + kind, place, [=](PlanFamily &changed) {
          Program &body = changed.stages[stage].programs[p];
          what(body);
          deriveFrees(body);
        });
      };
      if (original.op == "aten::add_.Tensor") {
        change("gradient added twice", [at](Program &body) {
          Instruction again = body.instructions[at];
          body.instructions.insert(body.instructions.begin() + at, again);
        });
        change("gradient added with another factor", [at](Program &body) {
          body.instructions[at].args[2] = int64_t(2);
        });
        change("gradient overwritten", [at](Program &body) {
          Instruction &i = body.instructions[at];
          i.op = "aten::copy_";
          i.args[2] = false;
        });
      }
      if (original.op == "aten::copy_" && program.instructions.size() > 1)
        change("value not stored", [at](Program &body) {
          body.instructions.erase(body.instructions.begin() + at);
        });
    }
  }

  const PlanFamily &family;
  const Visit &visit;
};

} // namespace

void nxdt::forEachFamilyMutant(const PlanFamily &family, const Visit &visit) {
  FamilyMutants(family, visit).run();
}
