//===- CaptureModule.cpp - a module becomes a record ----------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "CaptureModule.h"

#include "CallArguments.h"
#include "InitTracker.h"
#include "ModuleState.h"
#include "Recorder.h"

#include "nxdt/Support/UserError.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <set>

using namespace nxdt;
using namespace nxdt::capture;

namespace {

/// Watches forward for what only makes sense in a constructor.
class ForwardObserver : public OpObserver {
public:
  ForwardObserver(ModuleState &state, const ModulePaths &paths,
                  Problems &problems)
      : paths(paths), problems(problems) {
    for (ModuleState::Param &param : state.params)
      paramAt.try_emplace(storage(param.tensor), &param);
    for (ModuleState::Buffer &buffer : state.buffers)
      bufferAt.try_emplace(storage(buffer.tensor), &buffer);
  }

  void observe(const RecordedOp &op, bool isRandom,
               c10::ArrayRef<at::Tensor> operands,
               c10::ArrayRef<at::Tensor>) override {
    auto index = static_cast<int32_t>(numOps++);
    if (isRandom)
      problems.add(op.callee + " draws random numbers: not supported yet "
                               "(dropout: use p = 0)",
                   paths.current(), index);
    for (const at::Tensor &operand : operands)
      if (paramAt.count(storage(operand)))
        used.insert(paramAt[storage(operand)]);
    for (int32_t operand : op.mutates) {
      const void *target = storage(operands[operand]);
      if (auto it = paramAt.find(target); it != paramAt.end())
        problems.add(op.callee + " changes the parameter '" +
                         it->second->captured.name +
                         "' in forward: only an optimizer may",
                     paths.current(), index);
      if (auto it = bufferAt.find(target); it != bufferAt.end())
        it->second->captured.isMutated = true;
    }
  }

  bool isUsed(const ModuleState::Param &param) const {
    return used.count(&param) > 0;
  }

private:
  static const void *storage(const at::Tensor &tensor) {
    return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl()
                                : nullptr;
  }

  const ModulePaths &paths;
  Problems &problems;
  std::map<const void *, ModuleState::Param *> paramAt;
  std::map<const void *, ModuleState::Buffer *> bufferAt;
  std::set<const ModuleState::Param *> used;
  size_t numOps = 0;
};

} // namespace

/// The part of a message that is for users: without libtorch's stack traces.
static std::string messageOf(const std::exception &error) {
  auto *torchError = dynamic_cast<const c10::Error *>(&error);
  std::string message =
      torchError ? torchError->what_without_backtrace() : error.what();
  if (size_t trace = message.find("\nException raised from");
      trace != std::string::npos)
    message.resize(trace);
  while (!message.empty() && message.back() == '\n')
    message.pop_back();
  return message;
}

/// As Python's module.to(dtype): C++'s casts integer and boolean buffers too.
static void castFloating(const torch::nn::Module &module,
                         at::ScalarType dtype) {
  at::NoGradGuard noGrad;
  std::vector<at::Tensor> tensors = module.parameters();
  for (const at::Tensor &buffer : module.buffers())
    tensors.push_back(buffer);
  for (at::Tensor &tensor : tensors)
    if (tensor.defined() && tensor.is_floating_point())
      tensor.set_data(tensor.to(dtype));
}

static void checkLogits(const at::Tensor &logits, const CaptureOptions &options,
                        const Recorder &recorder, Problems &problems) {
  std::string wanted = "forward must return logits: a floating tensor of shape "
                       "[" +
                       std::to_string(options.microBatchSize) + ", " +
                       std::to_string(options.sequenceLength) +
                       ", vocabulary]; it returned ";
  std::string what;
  if (!logits.defined())
    problems.add(wanted + "no tensor", "");
  else if (!isSupported(logits, what))
    problems.add(wanted + what, "");
  else if (logits.dim() != 3 || logits.size(0) != options.microBatchSize ||
           logits.size(1) != options.sequenceLength || logits.size(2) < 1 ||
           !logits.is_floating_point())
    problems.add(wanted + c10::str(c10::toString(logits.scalar_type()),
                                   " of shape ", logits.sizes()),
                 "");
  else if (recorder.find(logits) < 0)
    problems.add(wanted + "a tensor that no operator of forward made", "");
  else if (!logits.requires_grad())
    problems.add("the logits depend on no parameter (or forward runs under "
                 "NoGradGuard): there is nothing to train",
                 "");
}

/// Runs `body`; what it throws becomes a problem. Returns success.
static bool guarded(const std::function<void()> &body, const char *what,
                    const Recorder &recorder, const ModulePaths &paths,
                    int32_t opIndex, Problems &problems) {
  try {
    body();
    return true;
  } catch (const UserError &error) {
    problems.add(error.what(), "");
  } catch (const std::exception &error) {
    // After a made-up value anything may go wrong; the cause is reported.
    if (!recorder.isTainted())
      problems.add(std::string(what) + " failed: " + messageOf(error),
                   paths.thrownFrom(), opIndex);
  } catch (...) {
    problems.add(std::string(what) + " failed with an unknown exception",
                 paths.thrownFrom(), opIndex);
  }
  return false;
}

std::optional<CapturedModel> nxdt::capture::captureModule(
    const std::function<std::shared_ptr<Model>()> &make,
    const CaptureOptions &options, Problems &problems) {
  at::AutoGradMode gradMode(true);
  ModulePaths paths;
  CapturedModel model;

  // The constructor.
  Record constructed;
  InitTracker inits;
  Recorder constructor(constructed, problems, paths, inits);
  std::shared_ptr<Model> module;
  auto construct = [&] {
    Recorder::Listening listening(constructor);
    module = make();
    if (!module)
      throw UserError("the model's factory returned no module");
    module->train();
    if (options.toBFloat16)
      castFloating(*module, at::kBFloat16);
  };
  if (!guarded(construct, "the constructor", constructor, paths, -1, problems))
    return std::nullopt;
  paths.setRoot(*module);
  ModuleState state = readState(*module, problems);
  model.init =
      sliceForBuffers(state, constructed, constructor, inits, problems);

  // One forward.
  ForwardObserver observer(state, paths, problems);
  Recorder forward(model.forward, problems, paths, observer);
  forward.setConstructor(&constructor);
  std::map<ValueId, std::string> paramOf;
  for (auto &[param, tensor] : state.params) {
    param.value = forward.declare(tensor);
    paramOf[param.value] = param.name;
  }
  for (auto &[buffer, tensor] : state.buffers)
    buffer.value = forward.declare(tensor);
  at::Tensor inputIds =
      at::empty({options.microBatchSize, options.sequenceLength},
                at::TensorOptions().dtype(at::kLong).device(at::kMeta));
  model.inputIds = forward.declare(inputIds);
  at::Tensor logits;
  auto run = [&] {
    Recorder::Listening listening(forward);
    logits = module->forward(inputIds);
  };
  bool hasRun = guarded(run, "forward", forward, paths,
                        std::numeric_limits<int32_t>::max(), problems);
  inferPaths(model.forward, paramOf, paths.libraryModules());
  if (hasRun && logits.defined()) {
    forward.checkAutograd(logits);
    model.logits = forward.find(logits);
  }
  problems.resolvePaths(model.forward);
  if (!hasRun)
    return std::nullopt;
  if (!forward.isTainted())
    checkLogits(logits, options, forward, problems);

  std::vector<bool> used;
  for (const ModuleState::Param &param : state.params) {
    used.push_back(observer.isUsed(param));
    const std::string &name = param.captured.name;
    if (!used.back())
      problems.add("parameter '" + name +
                       "' is never used by forward: it gets no gradient",
                   moduleOf(name), -1, /*isWarning=*/true);
  }
  readInits(state, inits, used, problems);
  if (problems.hasErrors())
    return std::nullopt;
  for (auto &param : state.params)
    model.params.push_back(std::move(param.captured));
  for (auto &buffer : state.buffers)
    model.buffers.push_back(std::move(buffer.captured));
  return model;
}
