//===- Cost.cpp - the time of a step -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "nxdt/Analysis/Cost.h"

#include "nxdt/Analysis/Flops.h"
#include "nxdt/Passes/Passes.h"
#include "nxdt/Plan/Communication.h"
#include "nxdt/Plan/Mesh.h"
#include "nxdt/Schedule/FamilySchedule.h"
#include "nxdt/Schedule/Picture.h"

#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

using namespace mlir;
using namespace nxdt;

static constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// bytes of what it reads and writes, each tensor once.
static double bytesOf(Operation *op) {
  double bytes = 0;
  auto add = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      bytes += double(tensor.getNumElements()) *
               std::max(1u, tensor.getElementTypeBitWidth() / 8);
  };
  llvm::for_each(op->getOperandTypes(), add);
  llvm::for_each(op->getResultTypes(), add);
  return bytes;
}

static bool isBf16(Operation *op) {
  auto is = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getElementType().isBF16();
  };
  return llvm::any_of(op->getOperandTypes(), is);
}

static double operatorTime_s(Operation *op, const DeviceRates &rates) {
  double peak =
      isBf16(op) ? rates.bf16_flopsPerSecond : rates.f32_flopsPerSecond;
  double computing_s = operatorFlops(op) / (peak * rates.efficiency);
  double moving_s =
      makesView(op) ? 0 : bytesOf(op) / rates.memory_bytesPerSecond;
  return rates.overhead_s + std::max(computing_s, moving_s);
}

double nxdt::collectiveTime_s(const plan::Plan &plan,
                              const plan::Program &program,
                              const plan::Instruction &instruction,
                              int64_t rank, const Cluster &cluster) {
  plan::Payload payload = plan::payloadOf(plan, program, instruction);
  if (payload.ranks <= 1)
    return 0;
  bool isWithinNode = true;
  for (int64_t member : plan::groupRanks(
           plan::meshOf(plan), plan::toGroupSpec(instruction.axes), rank))
    isWithinNode &=
        member / cluster.ranksPerNode == rank / cluster.ranksPerNode;
  const LinkRates &link = isWithinNode ? cluster.intraNode : cluster.interNode;
  double messages = double(payload.ranks - 1);
  if (instruction.collective == plan::Collective::AllReduce)
    messages *= 2;
  return messages * link.latency_s +
         double(payload.sentBytes) / link.bytesPerSecond;
}

namespace {

/// Programs in the order of their instructions; a group's collectives one
/// after another, beside the operators.
class ProgramClock {
public:
  ProgramClock(const plan::Plan &plan, const plan::Program &program,
               int64_t rank, const Cluster &cluster)
      : plan(plan), program(program), rank(rank), cluster(cluster) {}

  void compute(double time_s) {
    now_s += time_s;
    result.compute_s += time_s;
  }

  void start(const plan::Instruction &instruction) {
    schedule::TraceEvent event =
        schedule::collectiveEvent(plan, program, instruction);
    double &free_s = free[event.thread];
    event.begin_s = std::max(now_s, free_s);
    event.end_s = event.begin_s +
                  collectiveTime_s(plan, program, instruction, rank, cluster);
    free_s = event.end_s;
    if (instruction.outs.size())
      pending[instruction.outs[0]] = event;
    if (event.bytes >= 0)
      result.events.push_back(event);
  }

  /// Until what has `result` as its first result is there.
  void wait(int32_t value) {
    const schedule::TraceEvent &event = pending.at(value);
    double until_s = std::max(now_s, event.end_s);
    if (event.bytes >= 0) {
      schedule::TraceEvent waited{std::string(schedule::kRunThread), "wait",
                                  "wait " + event.name, now_s, until_s};
      result.events.push_back(waited);
    }
    result.waited_s += until_s - now_s;
    now_s = until_s;
  }

  ProgramTime finish() {
    result.total_s = now_s;
    return std::move(result);
  }

private:
  const plan::Plan &plan;
  const plan::Program &program;
  int64_t rank;
  const Cluster &cluster;
  double now_s = 0;
  std::map<std::string, double> free;
  std::map<int32_t, schedule::TraceEvent> pending;
  ProgramTime result;
};

} // namespace

CostModel::CostModel(ModuleOp module, const plan::PlanFamily &family,
                     Cluster given)
    : family(family), cluster(std::move(given)) {
  rates = ratesFor(cluster, plan::meshOf(family.stages[0]).size());
  timePrograms(module);
}

CostModel::CostModel(ModuleOp module, const plan::PlanFamily &family)
    : family(family) {
  double flops = 0, count = 0;
  for (const plan::Plan &plan : family.stages)
    for (const plan::Program &program : plan.programs) {
      std::optional<schedule::ProgramPass> pass =
          schedule::passOf(program.name);
      bool isForward =
          pass && pass->pass == schedule::Pass::Forward && !pass->forwardOnly;
      if (isForward || program.name == "train_step") {
        flops += programFlops(module, program.name);
        ++count;
      }
    }
  rates.f32_flopsPerSecond = rates.bf16_flopsPerSecond =
      flops > 0 ? flops / count : 1;
  rates.memory_bytesPerSecond = kNoLimit;
  cluster.intraNode = cluster.interNode = {0, kNoLimit};
  timePrograms(module);
}

void CostModel::timePrograms(ModuleOp module) {
  int64_t stages = family.stages.size();
  programs.resize(stages);
  for (int64_t stage = 0; stage < stages; ++stage) {
    const plan::Plan &plan = family.stages[stage];
    int64_t rank = stage * (plan::meshOf(plan).size() / stages);
    forEachProgram(
        module, plan, stage,
        [&](func::FuncOp func, const plan::Program &program) {
          ProgramClock clock(plan, program, rank, cluster);
          // An instruction per operation; behind them copies of what is
          // carried.
          auto op = func.front().without_terminator().begin();
          auto end = func.front().without_terminator().end();
          for (const plan::Instruction &instruction : program.instructions) {
            Operation *current = op == end ? nullptr : &*op++;
            switch (instruction.kind) {
            case plan::OpKind::Collective:
              clock.start(instruction);
              clock.wait(instruction.outs[0]);
              break;
            case plan::OpKind::Start:
              clock.start(instruction);
              break;
            case plan::OpKind::Wait:
              clock.wait(
                  std::get<std::vector<plan::ValueRef>>(instruction.args[0])[0]
                      .index);
              break;
            case plan::OpKind::Aten:
            case plan::OpKind::AtenVjp:
              clock.compute(current ? operatorTime_s(current, rates)
                                    : rates.overhead_s);
              break;
            }
          }
          programs[stage][program.name] = clock.finish();
        });
  }
}

const ProgramTime &CostModel::program(int64_t stage,
                                      const std::string &name) const {
  static const ProgramTime none;
  auto it = programs[stage].find(name);
  return it == programs[stage].end() ? none : it->second;
}

double CostModel::messageTime_s(const schedule::Channel &channel) const {
  const plan::Plan &plan = family.stages[channel.fromStage];
  auto it = std::find_if(plan.channels.begin(), plan.channels.end(),
                         [&](const plan::Channel &one) {
                           return one.name == channel.name && one.isSend;
                         });
  const plan::Buffer &buffer = plan.buffers[it->buffer];
  double bytes = double(plan::byteSize(buffer.dtype));
  for (int64_t dim : buffer.shape)
    bytes *= double(dim);
  int64_t perStage = plan::meshOf(plan).size() / int64_t(family.stages.size());
  bool isWithinNode = channel.fromStage * perStage / cluster.ranksPerNode ==
                      channel.toStage * perStage / cluster.ranksPerNode;
  const LinkRates &link = isWithinNode ? cluster.intraNode : cluster.interNode;
  return link.latency_s + bytes / link.bytesPerSecond;
}

schedule::PipelineSchedule CostModel::scheduleOf(StringRef name) const {
  auto found = schedule::scheduleOf(family, name.str());
  if (!found)
    throw std::logic_error("no schedule " + name.str());
  for (schedule::Channel &channel : found->channels)
    channel.transfer_s = messageTime_s(channel);
  return *found;
}

schedule::Timing
CostModel::timing(const schedule::PipelineSchedule &schedule) const {
  return schedule::simulate(schedule,
                            [&](int64_t stage, const schedule::Action &action) {
                              return program(stage, action.name).total_s;
                            });
}

namespace {
/// Where the stages are.
struct StepClock {
  std::vector<double> now_s;
  double latest_s() const {
    return *std::max_element(now_s.begin(), now_s.end());
  }
};
} // namespace

static schedule::TraceEvent runEvent(const std::string &name,
                                     int64_t microBatch, double begin_s,
                                     double end_s) {
  schedule::TraceEvent event{std::string(schedule::kRunThread), "run",
                             name + " " + std::to_string(microBatch), begin_s,
                             end_s};
  event.microBatch = microBatch;
  if (auto pass = schedule::passOf(name))
    event.chunk = pass->chunk;
  return event;
}

StepTime CostModel::step(int64_t microBatches,
                         std::vector<schedule::TraceProcess> *trace) const {
  size_t stages = family.stages.size();
  StepTime result;
  result.stages.resize(stages);
  StepClock clock{std::vector<double>(stages, 0)};
  if (trace)
    trace->resize(stages);
  auto run = [&](size_t stage, const std::string &name, int64_t microBatch,
                 double begin_s) {
    const ProgramTime &time = program(int64_t(stage), name);
    result.stages[stage].compute_s += time.compute_s;
    result.stages[stage].collectives_s += time.waited_s;
    clock.now_s[stage] = begin_s + time.total_s;
    if (!trace)
      return;
    auto &events = (*trace)[stage].events;
    events.push_back(runEvent(name, microBatch, begin_s, clock.now_s[stage]));
    for (schedule::TraceEvent event : time.events) {
      event.begin_s += begin_s;
      event.end_s += begin_s;
      events.push_back(std::move(event));
    }
  };
  // One phase after another on all stages: the norm and the loss that stand
  // between them are those of all.
  double begin_s = 0;
  auto phase = [&](const std::string &name, int64_t runs) {
    std::fill(clock.now_s.begin(), clock.now_s.end(), begin_s);
    if (stages > 1 && schedule::scheduleOf(family, name)) {
      schedule::PipelineSchedule schedule = scheduleOf(name);
      schedule::Timing timed = timing(schedule);
      for (size_t stage = 0; stage < stages; ++stage)
        for (const schedule::RunTime &one : timed.runs[stage]) {
          const schedule::Action &action = schedule.actions[stage][one.action];
          run(stage, action.name, action.microBatch, begin_s + one.begin_s);
        }
      if (trace)
        for (schedule::TraceProcess &process :
             schedule::traceOf(schedule, timed))
          for (schedule::TraceEvent &event : process.events)
            if (event.category == "transfer") {
              event.begin_s += begin_s;
              event.end_s += begin_s;
              (*trace)[process.stage].events.push_back(event);
            }
      clock.now_s.assign(stages, begin_s + timed.makespan_s);
      if (name == "train_step")
        result.bubble = timed.bubble;
    } else {
      for (size_t stage = 0; stage < stages; ++stage)
        for (int64_t i = 0; i < runs; ++i)
          run(stage, name, i, clock.now_s[stage]);
    }
    result.phases.push_back({name, clock.latest_s() - begin_s});
    begin_s = clock.latest_s();
  };
  phase("begin_step", 1);
  phase("train_step", microBatches);
  phase("finish_step", 1);
  phase("update_step", 1);
  result.step_s = begin_s;
  int64_t perStage = plan::meshOf(family.stages[0]).size() / int64_t(stages);
  for (size_t stage = 0; stage < stages; ++stage) {
    StageTime &time = result.stages[stage];
    time.idle_s = result.step_s - time.compute_s - time.collectives_s;
    if (trace) {
      (*trace)[stage].stage = int64_t(stage);
      (*trace)[stage].rank = int64_t(stage) * perStage;
    }
  }
  return result;
}
