//===- Simulate.cpp - a strategy against the unpartitioned graph -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Simulate/Simulate.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Support/Format.h"
#include "nxdt/Support/UserError.h"
#include "runtime/Checkpoint/RankParts.h"
#include "runtime/Data/SampleOrder.h"
#include "runtime/Simulate/Findings.h"
#include "runtime/Simulate/PlanRanks.h"
#include "runtime/Simulate/Values.h"

#include "ATen/Context.h"
#include "ATen/Parallel.h"
#include "ATen/ops/scalar_tensor.h"

#include <algorithm>
#include <functional>
#include <map>
#include <unistd.h>

namespace nxdt::runtime {
namespace {

int64_t machineBytes() {
  return int64_t(sysconf(_SC_PHYS_PAGES)) * int64_t(sysconf(_SC_PAGESIZE));
}

void checkMemory(const plan::PlanFamily &strategy,
                 const plan::PlanFamily &whole) {
  int64_t ranks = plan::meshOf(strategy.stages.at(0)).size();
  int64_t parts = simulatedBytes(strategy);
  int64_t one = simulatedBytes(whole);
  if (parts + one <= machineBytes())
    return;
  throw UserError("simulate: " + std::to_string(ranks) + " ranks x " +
                  humanBytes(parts / ranks) + " + " + humanBytes(one) +
                  " of the unpartitioned run = " + humanBytes(parts + one) +
                  ", this machine has " + humanBytes(machineBytes()));
}

/// The buffer of the whole plan that holds what `buffer` holds a part of; null
/// for what the strategy alone has.
const plan::Buffer *counterpart(const plan::Plan &whole,
                                const plan::Buffer &buffer) {
  auto find = [&](plan::Role role) -> const plan::Buffer * {
    for (const plan::Buffer &other : whole.buffers) {
      bool isSame = buffer.param.empty() ? other.name == buffer.name
                                         : other.param == buffer.param &&
                                               other.state == buffer.state;
      if (other.role == role && isSame)
        return &other;
    }
    return nullptr;
  };
  if (const plan::Buffer *same = find(buffer.role))
    return same;
  if (buffer.role == plan::Role::ReducedGrad)
    return find(plan::Role::Grad);
  if (buffer.role == plan::Role::Master)
    return find(plan::Role::Param);
  return nullptr;
}

std::string kindOf(const plan::Buffer &buffer) {
  switch (buffer.role) {
  case plan::Role::Param:
    return "parameters";
  case plan::Role::Master:
    return "masters";
  case plan::Role::OptState:
    return "optimizer state";
  case plan::Role::Grad:
    return "gradients";
  case plan::Role::ReducedGrad:
    return "reduced gradients";
  case plan::Role::Scalar:
    return buffer.name == "loss" || buffer.name == "grad_norm" ? buffer.name
                                                               : "scalars";
  case plan::Role::Buffer:
  case plan::Role::Input:
  case plan::Role::Coordinate:
  case plan::Role::Carry:
    break;
  }
  return "";
}

/// A buffer of one or more stages.
struct HeldBuffer {
  plan::Buffer buffer;        ///< of the stage that keeps it
  std::vector<int32_t> index; ///< in each stage's plan, or -1
};

/// All buffers of a pipeline, each once. A gradient is what the parameter's
/// owner has: what copies add up is sent there.
std::vector<HeldBuffer> heldBuffers(const plan::PlanFamily &family) {
  std::map<std::string, int64_t> owners = plan::ownersOf(family);
  std::vector<HeldBuffer> out;
  std::map<std::string, size_t> known;
  for (size_t stage = 0; stage < family.stages.size(); ++stage) {
    const std::vector<plan::Buffer> &buffers = family.stages[stage].buffers;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const plan::Buffer &buffer = buffers[i];
      auto owner = owners.find(buffer.param);
      bool isOwner = owner == owners.end() || owner->second == int64_t(stage);
      bool isGradient = buffer.role == plan::Role::Grad ||
                        buffer.role == plan::Role::ReducedGrad;
      if (isGradient && !isOwner)
        continue;
      auto [it, isNew] = known.emplace(buffer.name, out.size());
      if (isNew)
        out.push_back({buffer, std::vector<int32_t>(family.stages.size(), -1)});
      HeldBuffer &held = out[it->second];
      held.index[stage] = int32_t(i);
      if (isOwner && !buffer.param.empty())
        held.buffer = buffer;
    }
  }
  return out;
}

class Simulation {
public:
  Simulation(const PlanFolder &strategy, const PlanFolder &whole,
             bool comparesValues)
      : ranks(strategy), whole(whole), comparesValues(comparesValues),
        allowed(toleranceOf(strategy.plan())), parts(ranks, false),
        wholes(this->whole, true),
        data(Dataset::open(strategy.config.data.trainDir,
                           strategy.plan().sequenceLength,
                           strategy.plan().vocabSize, "data.train_dir")),
        buffers(heldBuffers(strategy.family)) {}

  /// Stops at the first difference when values are compared.
  void run(int64_t steps);
  const Findings &findings() const { return found; }

private:
  bool isOver() const { return comparesValues && found.first(); }
  void runProgram(const std::string &program);
  void runAndCompare(const std::string &program,
                     const std::function<void(PlanRanks &)> &run);
  void compareBuffers(const std::string &program);
  void compareBuffer(const HeldBuffer &held, const std::string &program);
  void trainStep(const SampleOrder &order, int64_t step);
  void evaluate(int64_t stepsPerEpoch);

  PlanRanks ranks;
  PlanRanks whole;
  bool comparesValues;
  SimulateTolerance allowed;
  Recording parts, wholes;
  Dataset data;
  std::vector<HeldBuffer> buffers;
  Findings found;
};

void Simulation::compareBuffer(const HeldBuffer &held,
                               const std::string &program) {
  const plan::Buffer &buffer = held.buffer;
  std::string kind = kindOf(buffer);
  bool isGradient =
      buffer.role == plan::Role::Grad || buffer.role == plan::Role::ReducedGrad;
  // The optimizer's kernel scales its gradients where they are.
  if (kind.empty() || (isGradient && program == "update_step"))
    return;
  Layout layout(buffer);
  TensorOf part = [&](int64_t rank) {
    int32_t index = held.index[size_t(ranks.stageOf(rank))];
    return index < 0 ? at::Tensor() : ranks.rank(rank).buffers()[size_t(index)];
  };
  const std::string &name = buffer.param.empty() ? buffer.name : buffer.param;
  const plan::Buffer *other = counterpart(whole.plan(), buffer);
  // A reduced gradient is there when the accumulation is over.
  bool isDue =
      buffer.role != plan::Role::ReducedGrad || program == "finish_step";
  if (other && isDue) {
    bool isWeight =
        buffer.role == plan::Role::Param || buffer.role == plan::Role::Master;
    const Tolerance &tolerance = isWeight ? allowed.updated : allowed.state;
    Apart apart =
        compareWithWhole(layout, ranks.mesh(), part,
                         whole.rank(0).buffer(other->name), tolerance);
    bool differs = found.note(kind, name, apart, tolerance);
    if (differs && comparesValues) {
      std::string writer =
          ValueComparison(ranks, parts, whole, wholes, allowed.values)
              .writerOf(buffer.name);
      found.setOperation(writer.empty() ? program + " does not write it"
                                        : writer);
    }
  }
  auto [one, two] = replicasApart(layout, ranks.mesh(), part);
  found.noteExact(
      "replicas",
      kind + " of " + name +
          (one < 0 ? "" : ", not the bits of rank " + std::to_string(one)),
      std::max<int64_t>(two, 0), one < 0);
  int64_t padded = paddingNotZero(layout, ranks.mesh(), part);
  found.noteExact("padding", kind + " of " + name + ": is not zero",
                  std::max<int64_t>(padded, 0), padded < 0);
}

void Simulation::compareBuffers(const std::string &program) {
  for (size_t i = 0; i < buffers.size() && !isOver(); ++i)
    compareBuffer(buffers[i], program);
}

void Simulation::runProgram(const std::string &program) {
  runAndCompare(program, [&](PlanRanks &plan) { plan.run(program); });
}

void Simulation::runAndCompare(const std::string &program,
                               const std::function<void(PlanRanks &)> &run) {
  if (!comparesValues) {
    run(ranks);
    run(whole);
    return;
  }
  parts.start();
  wholes.start();
  run(ranks);
  run(whole);
  parts.stop();
  wholes.stop();
  const Tolerance &tolerance =
      program == "update_step" ? allowed.updates : allowed.values;
  ValueComparison comparison(ranks, parts, whole, wholes, tolerance);
  if (std::optional<std::string> operation = comparison.firstDifference()) {
    found.note("values", comparison.largestName(), comparison.largest(),
               tolerance);
    found.setOperation(*operation);
    return;
  }
  if (comparison.compared() > 0)
    found.note("values", comparison.largestName(), comparison.largest(),
               tolerance);
  found.count("values", comparison.compared());
  if (program != "begin_step")
    compareBuffers(program);
}

void Simulation::evaluate(int64_t stepsPerEpoch) {
  std::optional<std::vector<double>> losses = ranks.evaluate(stepsPerEpoch);
  std::optional<std::vector<double>> expected = whole.evaluate(stepsPerEpoch);
  if (!losses || !expected)
    return;
  for (size_t rank = 0; rank < losses->size(); ++rank) {
    auto tensor = [](double value) {
      return at::scalar_tensor(value, at::kDouble);
    };
    Apart apart = compareWithWhole(
        Layout(plan::Buffer()), whole.mesh(),
        [&](int64_t) { return tensor((*losses)[rank]); },
        tensor((*expected)[0]), allowed.state);
    apart.rank = int64_t(rank);
    found.note("val_loss", "val_loss", apart, allowed.state);
  }
}

/// Stages have several micro-batches in flight: all of a step run at once.
void Simulation::trainStep(const SampleOrder &order, int64_t step) {
  int64_t samples = ranks.rowsOfAllRanks();
  int64_t count = ranks.config().data.globalBatchSize / samples;
  int64_t atOnce = ranks.hasStages() ? count : 1;
  auto first = [&](int64_t microBatch) {
    return order.firstOfMicroBatch(step, microBatch, samples);
  };
  for (int64_t i = 0; i < count && !isOver(); i += atOnce)
    runAndCompare("train_step", [&](PlanRanks &plan) {
      plan.trainStep(data, first, i, i + atOnce);
    });
}

void Simulation::run(int64_t steps) {
  int64_t first = ranks.load();
  whole.load();
  int64_t globalBatch = ranks.config().data.globalBatchSize;
  data.checkGlobalBatch(globalBatch);
  SampleOrder order(data.size(), globalBatch);
  compareBuffers("load");
  for (int64_t step = first; step < first + steps && !isOver(); ++step) {
    found.setStep(step + 1);
    ranks.setStep(step);
    whole.setStep(step);
    runProgram("begin_step");
    trainStep(order, step);
    for (const char *program : {"finish_step", "update_step"}) {
      if (isOver())
        return;
      runProgram(program);
      if (!comparesValues)
        compareBuffers(program);
    }
  }
  if (!isOver())
    evaluate(order.stepsPerEpoch());
}

void checkComparable(const PlanFolder &strategy, const PlanFolder &whole) {
  const plan::Plan &plan = strategy.plan();
  if (plan.device != "cpu")
    throw UserError("simulate runs on the CPU, " + strategy.planPath +
                    " is for the device " + plan.device +
                    " (trainer.accelerator=cpu)");
  static constexpr const char *random[] = {"dropout", "bernoulli", "rand",
                                           "normal_", "multinomial"};
  for (const plan::Plan &stage : strategy.family.stages)
    for (const plan::Program &program : stage.programs)
      for (const plan::Instruction &instruction : program.instructions)
        for (const char *word : random)
          if (instruction.op.find(word) != std::string::npos)
            throw UserError(
                "simulate: " + instruction.op + " in " + instruction.module +
                " draws random numbers, which parts and a whole draw apart");
  checkMemory(strategy.family, whole.family);
}

bool hasOrigins(const plan::Plan &plan) {
  for (const plan::Program &program : plan.programs)
    for (const plan::Value &value : program.values)
      if (value.origin)
        return true;
  return false;
}

} // namespace

SimulateTolerance toleranceOf(const plan::Plan &plan) {
  for (const plan::Buffer &buffer : plan.buffers)
    if (buffer.role == plan::Role::Param &&
        (buffer.dtype == plan::DType::BF16 || buffer.dtype == plan::DType::F16))
      return {5e-2, 5e-2, 1e-1, 1e-1};
  return {1e-5, {1e-5, 1e-3}, 1e-4, {1e-4, 1e-3}};
}

std::optional<std::string> simulate(const PlanFolder &strategy,
                                    const PlanFolder &whole,
                                    const SimulateOptions &options,
                                    std::FILE *out) {
  checkComparable(strategy, whole);
  at::set_num_threads(1);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
  bool canCompare = hasOrigins(strategy.plan()) && hasOrigins(whole.plan());
  if (options.compareValues && !canCompare)
    throw UserError(strategy.planPath +
                    ": its values have no names (nxdt-opt --origins)");
  Simulation simulation(strategy, whole, options.compareValues);
  std::fprintf(out, "simulate: %s against one rank, %lld %s\n",
               meshText(plan::meshOf(strategy.plan())).c_str(),
               static_cast<long long>(options.steps),
               options.steps == 1 ? "step" : "steps");
  std::fflush(out);
  simulation.run(options.steps);
  std::fputs(simulation.findings().table().c_str(), out);
  std::optional<Findings::Difference> first = simulation.findings().first();
  if (!first)
    return std::nullopt;
  std::string operation = first->operation;
  if (!options.compareValues && canCompare) {
    // Once more from the start, value by value.
    Simulation again(strategy, whole, /*comparesValues=*/true);
    again.run(options.steps);
    if (again.findings().first())
      operation = again.findings().first()->operation;
  }
  if (!operation.empty())
    std::fprintf(out, "first operation that differs: %s\n", operation.c_str());
  else
    std::fprintf(out, "first operation that differs: not found%s\n",
                 canCompare ? ", all values are within the tolerance"
                            : ", the plan was compiled without --origins");
  std::fflush(out);
  return first->text;
}

} // namespace nxdt::runtime
