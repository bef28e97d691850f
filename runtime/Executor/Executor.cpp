//===- Executor.cpp - runs a plan's programs -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "runtime/Executor/Executor.h"
#include "nxdt/Plan/Family.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifyComm.h"
#include "nxdt/Verify/VerifySpmd.h"
#include "runtime/Checkpoint/TorchTensor.h"
#include "runtime/Comm/Failure.h"
#include "runtime/Executor/Bind.h"
#include "runtime/Executor/Collectives.h"
#include "runtime/Executor/Device.h"
#include "runtime/Executor/Messages.h"
#include "runtime/Executor/Pending.h"
#include "runtime/Executor/Recorder.h"
#include "runtime/Executor/ScheduleRun.h"
#include "runtime/Executor/Vjp.h"

#include "ATen/core/LegacyTypeDispatch.h"
#include "ATen/core/List.h"
#include "ATen/core/grad_mode.h"
#include "ATen/ops/fill.h"
#include "ATen/ops/zeros.h"

#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

namespace nxdt::runtime {
struct Executor::Impl {
  struct BoundStart {
    BoundCollective collective;
  };
  struct BoundWait {
    size_t start; ///< instruction
    std::vector<int32_t> frees;
  };
  using Bound =
      std::variant<BoundInstruction, BoundCollective, BoundStart, BoundWait>;
  /// A value that stands for a carry's tensor.
  struct BoundCarry {
    int32_t buffer;
    int32_t value;
  };
  struct BoundProgram {
    std::vector<Bound> instructions;
    std::vector<BoundCarry> carries;
    /// Bound values hold their buffer for good, carries and temporaries come
    /// and go.
    std::vector<at::Tensor> values;
    bool wasChecked = false;
  };

  plan::Plan plan;
  plan::Mesh mesh;
  ExecutorOptions options;
  c10::Device device;
  std::vector<at::Tensor> buffers;
  std::map<std::string, size_t, std::less<>> bufferIndex;
  std::vector<BoundProgram> programs;
  Carries carries;
  std::optional<ScheduleRun> schedules;
  /// Storages of buffers that change while a schedule runs: what is carried
  /// must not be a view of them.
  std::set<const c10::StorageImpl *> changing;
  // Reused by every instruction: no allocation on the hot path.
  std::vector<c10::IValue> stack;
  std::vector<at::Tensor> results;
  PendingCollectives pending;

  Impl(plan::Plan given, ExecutorOptions givenOptions)
      : plan(std::move(given)), options(std::move(givenOptions)),
        device(c10::DeviceType::CPU) {
    plan::verify(plan, options.what);
    verifyComm(plan, options.what);
    verifySpmd(plan, options.what);
    const char *always = std::getenv("NXDT_CHECK_SHAPES");
    if (always && std::string_view(always) == "1")
      options.alwaysCheckTypes = true;
    device = openDevice(plan.device, options.what);
    mesh = plan::meshOf(plan);
    checkWorld();
    openLibraries();
    allocateBuffers();
    for (const plan::Program &program : plan.programs)
      programs.push_back(bindProgram(program));
    schedules.emplace(plan, bindChannels(plan, mesh, options.world), device,
                      carries, options.recorder);
    findChanging();
  }

  int64_t rank() const { return options.world ? options.world->rank() : 0; }

  void checkWorld() const {
    auto shown = [](const plan::Mesh &mesh) {
      std::string out;
      for (const plan::MeshAxis &axis : mesh.axes)
        out += (out.empty() ? "" : " x ") + axis.name + " " +
               std::to_string(axis.size);
      return out;
    };
    if (!options.world && mesh.size() != 1)
      throw UserError(options.what + ": is for " + std::to_string(mesh.size()) +
                      " ranks (" + shown(mesh) + "), but this is one process");
    if (options.world && shown(options.world->mesh()) != shown(mesh))
      throw UserError(options.what + ": is for the mesh " + shown(mesh) +
                      ", the processes are " + shown(options.world->mesh()));
  }

  void openLibraries() const {
    for (const std::string &library : plan.libraries) {
      if (dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL))
        continue;
      const char *reason = dlerror();
      throw UserError(options.what + ": cannot open the library " + library +
                      ": " + (reason ? reason : "unknown reason"));
    }
  }

  void allocateBuffers() {
    at::NoGradGuard noGrad;
    for (const plan::Buffer &buffer : plan.buffers) {
      bufferIndex.emplace(buffer.name, buffers.size());
      if (buffer.role == plan::Role::Carry) {
        buffers.emplace_back();
        continue;
      }
      try {
        buffers.push_back(at::zeros(
            buffer.shape,
            at::TensorOptions().dtype(torchType(buffer.dtype)).device(device)));
      } catch (const c10::Error &e) {
        throw UserError(options.what + ": cannot allocate the buffer '" +
                        buffer.name +
                        "': " + oneLine(e.what_without_backtrace()));
      }
      if (buffer.role == plan::Role::Coordinate)
        buffers.back().fill_(plan::groupIndex(
            mesh, plan::toGroupSpec(buffer.coordinate), rank()));
    }
  }

  BoundProgram bindProgram(const plan::Program &program) const {
    BoundProgram out;
    BindContext context{plan, program, buffers, device, options.what};
    out.instructions.reserve(program.instructions.size());
    std::map<int32_t, size_t> startOf; // by first result
    for (size_t i = 0; i < program.instructions.size(); ++i) {
      const plan::Instruction &instruction = program.instructions[i];
      switch (instruction.kind) {
      case plan::OpKind::Collective:
        out.instructions.emplace_back(
            bindCollective(plan, program, i, mesh, options.world));
        break;
      case plan::OpKind::Start:
        startOf[instruction.outs[0]] = i;
        out.instructions.emplace_back(
            BoundStart{bindCollective(plan, program, i, mesh, options.world)});
        break;
      case plan::OpKind::Wait: {
        const auto &results =
            std::get<std::vector<plan::ValueRef>>(instruction.args[0]);
        out.instructions.emplace_back(
            BoundWait{startOf.at(results[0].index), instruction.frees});
        break;
      }
      case plan::OpKind::Aten:
      case plan::OpKind::AtenVjp:
        out.instructions.emplace_back(bind(context, i));
        break;
      }
    }
    out.values.resize(program.values.size());
    for (size_t i = 0; i < program.values.size(); ++i) {
      int32_t buffer = program.values[i].buffer;
      if (isPersistent(buffer))
        out.values[i] = buffers[buffer];
      else if (buffer >= 0)
        out.carries.push_back({buffer, int32_t(i)});
    }
    return out;
  }

  bool isPersistent(int32_t buffer) const {
    return buffer >= 0 && plan.buffers[buffer].role != plan::Role::Carry;
  }

  std::set<int32_t> writtenBy(size_t program) const {
    std::set<int32_t> written;
    for (const Bound &bound : programs[program].instructions) {
      if (const auto *instruction = std::get_if<BoundInstruction>(&bound))
        written.insert(instruction->written.begin(),
                       instruction->written.end());
      else if (const auto *collective = std::get_if<BoundCollective>(&bound);
               collective && collective->outBuffer >= 0)
        written.insert(collective->outBuffer);
    }
    return written;
  }

  void findChanging() {
    std::set<int32_t> changed;
    for (const plan::Schedule &schedule : plan.schedules) {
      // The optimizer comes when nothing is carried any more.
      if (schedule.name == "update_step")
        continue;
      for (const plan::Action &action : schedule.actions)
        if (action.kind == plan::ActionKind::Run)
          changed.merge(writtenBy(size_t(action.index)));
    }
    for (size_t i = 0; i < buffers.size(); ++i)
      if (plan.buffers[i].role == plan::Role::Input)
        changed.insert(int32_t(i));
    for (int32_t index : changed)
      changing.insert(buffers[index].storage().unsafeGetStorageImpl());
  }

  /// A result as a value: of a carry it must stay what it is.
  at::Tensor kept(at::Tensor result, int32_t buffer) const {
    if (buffer >= 0 && changing.count(result.storage().unsafeGetStorageImpl()))
      return result.clone();
    return result;
  }

  /// Now while it is recorded, and nothing otherwise.
  std::optional<Recorder::Clock::time_point> recordedFrom() const {
    if (!options.recorder || !options.recorder->isOn())
      return std::nullopt;
    return Recorder::Clock::now();
  }

  void run(size_t index, int64_t microBatch) {
    const plan::Program &program = plan.programs[index];
    auto begin = recordedFrom();
    BoundProgram &bound = programs[index];
    for (const BoundCarry &carry : bound.carries)
      bound.values[carry.value] = carries.take(carry.buffer, microBatch);
    if (options.beginObserver)
      options.beginObserver(program, microBatch, bound.values);
    runInstructions(program, bound);
    for (const BoundCarry &carry : bound.carries)
      if (at::Tensor &value = bound.values[carry.value]; value.defined())
        carries.put(carry.buffer, microBatch, std::exchange(value, {}));
    if (begin)
      options.recorder->add("run",
                            program.name + " " + std::to_string(microBatch),
                            microBatch, *begin);
  }

  void recordCollective(const plan::Program &program, size_t at,
                        const comm::Work::Span &moved,
                        Recorder::Clock::time_point begin) {
    schedule::TraceEvent event =
        schedule::collectiveEvent(plan, program, program.instructions[at]);
    if (event.bytes >= 0)
      options.recorder->addMoved(std::move(event), moved, begin);
  }

  void runInstructions(const plan::Program &program, BoundProgram &bound) {
    // Not InferenceMode: aten_vjp could not run on its tensors.
    at::NoGradGuard noGrad;
    at::AutoDispatchBelowADInplaceOrView belowAutograd;
    bool check = options.alwaysCheckTypes || !bound.wasChecked;
    size_t at = 0;
    try {
      for (; at < bound.instructions.size(); ++at) {
        const Bound &next = bound.instructions[at];
        if (std::holds_alternative<BoundInstruction>(next))
          runInstruction(program, bound, at, check);
        else if (const auto *collective = std::get_if<BoundCollective>(&next))
          runCollectiveAt(*collective, program, bound, at, check);
        else if (const auto *start = std::get_if<BoundStart>(&next))
          pending.start(at, start->collective, bound.values);
        else
          waitAt(std::get<BoundWait>(next), program, bound, check);
      }
    } catch (const comm::CommError &) {
      // The same message on all ranks, and it names the collective.
      abandon(program, bound);
      throw;
    } catch (const UserError &e) {
      abandon(program, bound);
      throw UserError(placeOf(options.what, program, at) + ": " + e.what());
    } catch (const std::exception &e) {
      const auto *error = dynamic_cast<const c10::Error *>(&e);
      std::string reason =
          oneLine(error ? error->what_without_backtrace() : e.what());
      abandon(program, bound);
      throw UserError(placeOf(options.what, program, at) + ": " + reason +
                      "; its tensors: " + argumentTypes(program, at));
    }
    bound.wasChecked = true;
  }

  void runCollectiveAt(const BoundCollective &collective,
                       const plan::Program &program, BoundProgram &bound,
                       size_t at, bool check) {
    std::vector<at::Tensor> &values = bound.values;
    int32_t index = collective.outs[0];
    at::Tensor out = collective.outBuffer < 0 ? at::Tensor() : values[index];
    auto begin = recordedFrom();
    comm::Work::Span moved;
    at::Tensor result = runCollective(collective, values[collective.inputs[0]],
                                      out, begin ? &moved : nullptr);
    if (begin)
      recordCollective(program, at, moved, *begin);
    if (check)
      checkResult(program.values[index], result, 0);
    values[index] = collective.outBuffer < 0
                        ? kept(std::move(result), program.values[index].buffer)
                        : std::move(result);
    if (options.observer)
      options.observer(program, at, values);
    for (int32_t freed : collective.frees)
      values[freed] = at::Tensor();
  }

  /// Results come to be with the wait; to observers they are the start's.
  void waitAt(const BoundWait &wait, const plan::Program &program,
              BoundProgram &bound, bool check) {
    const BoundCollective &collective =
        std::get<BoundStart>(bound.instructions[wait.start]).collective;
    auto begin = recordedFrom();
    comm::Work::Span moved;
    std::vector<at::Tensor> made =
        pending.wait(wait.start, begin ? &moved : nullptr);
    if (begin)
      recordCollective(program, wait.start, moved, *begin);
    for (size_t i = 0; i < made.size(); ++i) {
      int32_t index = collective.outs[i];
      if (check)
        checkResult(program.values[index], made[i], i);
      bound.values[index] =
          kept(std::move(made[i]), program.values[index].buffer);
    }
    if (options.observer)
      options.observer(program, wait.start, bound.values);
    for (int32_t freed : wait.frees)
      bound.values[freed] = at::Tensor();
  }

  void runInstruction(const plan::Program &program, BoundProgram &bound,
                      size_t at, bool check) {
    const auto &instruction =
        std::get<BoundInstruction>(bound.instructions[at]);
    std::vector<at::Tensor> &values = bound.values;
    if (!pending.empty())
      for (int32_t index : instruction.written)
        pending.checkMayChange(buffers[index], plan.buffers[index].name);
    if (instruction.isVjp) {
      results = runVjp(instruction, values);
    } else {
      stack.assign(instruction.stack.begin(), instruction.stack.end());
      for (const auto &slot : instruction.tensors)
        stack[slot.argument] = values[slot.value];
      for (const auto &slot : instruction.lists)
        fillList(slot, values);
      for (int32_t index : instruction.freesBefore)
        values[index] = at::Tensor();
      callFlat(instruction.op, stack, results);
      if (!instruction.outs.empty() &&
          results.size() != instruction.outs.size())
        throw UserError("gave " + std::to_string(results.size()) +
                        " results, the plan has " +
                        std::to_string(instruction.outs.size()));
    }
    for (size_t i = 0; i < instruction.outs.size(); ++i) {
      int32_t index = instruction.outs[i];
      if (index < 0)
        continue;
      if (check)
        checkResult(program.values[index], results[i], i);
      if (!isPersistent(program.values[index].buffer))
        values[index] =
            kept(std::move(results[i]), program.values[index].buffer);
      else if (!results[i].is_same(values[index]))
        values[index].copy_(results[i]);
    }
    results.clear();
    if (options.observer)
      options.observer(program, at, values);
    if (instruction.isVjp)
      for (int32_t index : instruction.freesBefore)
        values[index] = at::Tensor();
    for (int32_t index : instruction.freesAfter)
      values[index] = at::Tensor();
  }

  void fillList(const BoundInstruction::ListSlot &slot,
                const std::vector<at::Tensor> &values) {
    if (slot.hasOptionalElements) {
      c10::List<std::optional<at::Tensor>> list;
      list.reserve(slot.values.size());
      for (int32_t index : slot.values)
        list.push_back(index < 0 ? std::optional<at::Tensor>() : values[index]);
      stack[slot.argument] = std::move(list);
      return;
    }
    c10::List<at::Tensor> list;
    list.reserve(slot.values.size());
    for (int32_t index : slot.values)
      list.push_back(values[index]);
    stack[slot.argument] = std::move(list);
  }

  void checkResult(const plan::Value &expected, const at::Tensor &result,
                   size_t index) const {
    if (result.defined() && result.sizes() == expected.shape &&
        result.scalar_type() == torchType(expected.dtype) &&
        result.device().type() == device.type())
      return;
    throw UserError(
        "result " + std::to_string(index) + " is " + typeText(result) +
        (result.defined() ? " on " + result.device().str() : "") +
        ", the plan says " + typeText(expected) + " on " + device.str());
  }

  std::string argumentTypes(const plan::Program &program, size_t at) const {
    std::string out;
    auto add = [&](int32_t index) {
      out += out.empty() ? "" : ", ";
      out += index < 0 ? "none" : typeText(program.values[index]);
    };
    for (const plan::Arg &arg : program.instructions[at].args) {
      if (const auto *ref = std::get_if<plan::ValueRef>(&arg))
        add(ref->index);
      else if (const auto *refs =
                   std::get_if<std::vector<plan::ValueRef>>(&arg))
        for (plan::ValueRef item : *refs)
          add(item.index);
    }
    return out.empty() ? "none" : out;
  }

  /// After a failure: no temporary survives.
  void abandon(const plan::Program &program, BoundProgram &bound) {
    stack.clear();
    results.clear();
    pending.clear();
    for (size_t i = 0; i < bound.values.size(); ++i)
      if (!isPersistent(program.values[i].buffer))
        bound.values[i] = at::Tensor();
  }
};

Executor::Executor(plan::Plan plan, ExecutorOptions options)
    : impl(std::make_unique<Impl>(std::move(plan), std::move(options))) {}
Executor::~Executor() = default;

const plan::Plan &Executor::plan() const { return impl->plan; }
c10::Device Executor::device() const { return impl->device; }
const plan::Mesh &Executor::mesh() const { return impl->mesh; }
int64_t Executor::rank() const { return impl->rank(); }

int Executor::find(std::string_view program) const {
  for (size_t i = 0; i < impl->plan.programs.size(); ++i)
    if (impl->plan.programs[i].name == program)
      return int(i);
  return -1;
}

void Executor::run(int program, int64_t microBatch) {
  impl->run(size_t(program), microBatch);
}

void Executor::run(std::string_view program) {
  int index = find(program);
  if (index < 0)
    throw UserError(impl->options.what + ": has no program '" +
                    std::string(program) + "'");
  run(index);
}

bool Executor::hasSchedule(std::string_view name) const {
  return plan::findSchedule(impl->plan, name);
}

void Executor::runSchedule(std::string_view name, const BeforeRun &beforeRun) {
  const plan::Schedule *schedule = plan::findSchedule(impl->plan, name);
  if (!schedule)
    throw UserError(impl->options.what + ": has no schedule '" +
                    std::string(name) + "'");
  impl->schedules->run(*schedule, [&](int32_t program, int64_t microBatch) {
    if (beforeRun)
      beforeRun(program, microBatch);
    impl->run(size_t(program), microBatch);
  });
}

int64_t Executor::carriedTensors() const { return impl->carries.size(); }

const at::Tensor *Executor::findBuffer(std::string_view name) const {
  auto it = impl->bufferIndex.find(name);
  return it == impl->bufferIndex.end() ? nullptr : &impl->buffers[it->second];
}

const at::Tensor &Executor::buffer(std::string_view name) const {
  if (const at::Tensor *tensor = findBuffer(name))
    return *tensor;
  throw UserError(impl->options.what + ": has no buffer '" + std::string(name) +
                  "'");
}

const std::vector<at::Tensor> &Executor::buffers() const {
  return impl->buffers;
}

std::vector<int32_t> Executor::writtenBy(int program) const {
  std::set<int32_t> written = impl->writtenBy(size_t(program));
  return {written.begin(), written.end()};
}

} // namespace nxdt::runtime
