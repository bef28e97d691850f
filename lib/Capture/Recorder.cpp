//===- Recorder.cpp - listens to the dispatcher ---------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Recorder.h"

#include "CallArguments.h"
#include "MetaRun.h"

#include <ATen/core/enum_tag.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/ScopeExit.h>
#include <torch/library.h>

using namespace nxdt::capture;

static const c10::StorageImpl *storageOf(const at::Tensor &tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl()
                              : nullptr;
}

static bool shareStorage(const at::Tensor &a, const at::Tensor &b) {
  return storageOf(a) && storageOf(a) == storageOf(b);
}

ValueId Recorder::newValue(const at::Tensor &tensor) {
  auto value = static_cast<ValueId>(record.values.size());
  record.values.push_back(typeOf(tensor));
  alive.push_back(tensor);
  storages.push_back(tensor.has_storage() ? tensor.storage() : c10::Storage());
  bornAt.push_back(paths.current());
  bornIn.push_back(static_cast<int32_t>(record.ops.size()));
  bornWith.emplace_back();
  return value;
}

ValueId Recorder::declare(const at::Tensor &tensor) {
  auto [it, isNew] = valueOf.try_emplace(tensor.unsafeGetTensorImpl(), -1);
  if (isNew)
    it->second = newValue(tensor);
  return it->second;
}

ValueId Recorder::find(const at::Tensor &tensor) const {
  auto it = valueOf.find(tensor.unsafeGetTensorImpl());
  return it == valueOf.end() ? -1 : it->second;
}

ValueId Recorder::findAlias(const at::Tensor &tensor) const {
  for (size_t i = alive.size(); i-- > 0;)
    if (storageOf(tensor) &&
        storages[i].unsafeGetStorageImpl() == storageOf(tensor) &&
        alive[i].scalar_type() == tensor.scalar_type() &&
        alive[i].sizes() == tensor.sizes() &&
        alive[i].strides() == tensor.strides() &&
        alive[i].storage_offset() == tensor.storage_offset())
      return static_cast<ValueId>(i);
  return -1;
}

void Recorder::report(std::string message) {
  pending.push_back(std::move(message));
}

void Recorder::flushReports() {
  // The operator itself if it was recorded, else the last one before it.
  auto opIndex = static_cast<int32_t>(record.ops.size()) - 1;
  for (std::string &message : pending)
    problems.add(std::move(message), paths.current(), earlier ? opIndex : -1);
  pending.clear();
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// A Python-like number that became a tensor on the way (`1 / x`).
at::Tensor Recorder::recordScalar(const at::Tensor &wrapped) {
  at::Scalar number = wrapped.item();
  RecordedOp op;
  op.callee = "aten::scalar_tensor";
  if (number.isFloatingPoint())
    op.args.emplace_back(number.toDouble());
  else if (number.isBoolean())
    op.args.emplace_back(number.toBool());
  else
    op.args.emplace_back(number.toLong());
  // A wrapped double does not promote, a double tensor of rank 0 could.
  at::ScalarType dtype =
      number.isFloatingPoint() ? at::kFloat : wrapped.scalar_type();
  op.args.emplace_back(*elementType(dtype));
  op.args.emplace_back(NoneArg());
  op.args.emplace_back(DeviceArg());
  op.args.emplace_back(NoneArg());
  op.path = paths.current();
  at::Tensor meta = emptyMeta({}, {}, dtype, false);
  op.results.push_back(declare(meta));
  op.views.push_back(-1);
  observer.observe(op, false, {}, {meta});
  record.ops.push_back(std::move(op));
  return meta;
}

/// `tensor` became another object for the memory of `source` by itself.
void Recorder::recordAlias(ValueId source, const at::Tensor &tensor) {
  RecordedOp op;
  op.callee = "aten::detach";
  op.args.emplace_back(OperandArg());
  op.operands.push_back(source);
  op.views.push_back(0);
  op.path = paths.current();
  at::Tensor operand = alive[source];
  op.results.push_back(declare(tensor));
  observer.observe(op, false, {operand}, {tensor});
  record.ops.push_back(std::move(op));
}

at::Tensor Recorder::resolve(const c10::OperatorHandle &op,
                             const at::Tensor &tensor) {
  std::string callee = calleeName(op.schema());
  ValueId value = find(tensor);
  if (value >= 0) {
    bool isSame = storages[value].unsafeGetStorageImpl() == storageOf(tensor);
    const std::vector<int64_t> &shape = record.values[value].shape;
    if (tensor.layout() == at::kStrided && !tensor.is_nested() &&
        (!isSame || tensor.sizes() != at::IntArrayRef(shape)) && earlier) {
      report(callee + ": an operand's data or shape was exchanged in place "
                      "(set_data, resize_, t_): use operators that return a "
                      "new tensor");
      tainted = true;
    }
    checkAutograd(tensor);
    return tensor;
  }
  std::string what;
  if (tensor.device().is_cpu() && tensor.dim() == 0 &&
      tensor.unsafeGetTensorImpl()->is_wrapped_number() &&
      isSupported(tensor, what) && !tensor.is_complex())
    return recordScalar(tensor);

  // Constructors write through x.data(), libtorch's own too.
  if (ValueId source = findAlias(tensor); source >= 0 && !earlier) {
    recordAlias(source, tensor);
    return tensor;
  }
  std::string shape = c10::str(c10::toString(tensor.scalar_type()),
                               " of shape ", tensor.sizes());
  if (earlier && earlier->find(tensor) >= 0)
    report(callee + " reads a tensor (" + shape +
           ") that the constructor made but that is neither a parameter nor a "
           "buffer: register_buffer(\"name\", tensor)");
  else if (findAlias(tensor) >= 0)
    report(callee + " reads a tensor (" + shape +
           ") that shares the data of another one without an operator saying "
           "so, as x.data() and tensor_data() do: use x.detach()");
  else
    report(callee + " reads a tensor (" + shape +
           ") that is neither parameter nor buffer nor result of an operator "
           "of this run: register_buffer(\"name\", tensor) in the constructor");
  // Goes on with a tensor that looks the same, to find more problems.
  if (tensor.layout() != at::kStrided || tensor.is_nested())
    return tensor;
  at::Tensor replacement = tensor.is_meta()
                               ? tensor
                               : emptyMeta(tensor.sizes(), tensor.strides(),
                                           tensor.scalar_type(), false);
  declare(replacement);
  return replacement;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Operators that turn a tensor's contents into numbers get one, so that the
/// run goes on and shows further problems.
bool Recorder::answerItem(const c10::OperatorHandle &op,
                          torch::jit::Stack &stack, size_t numArguments) {
  if (!op.hasTag(at::Tag::data_dependent_output))
    return false;
  torch::jit::Stack answers;
  for (const c10::Argument &result : op.schema().returns()) {
    switch (result.type()->kind()) {
    case c10::TypeKind::NumberType: {
      bool isFloat = false;
      for (const c10::IValue &value : torch::jit::last(stack, numArguments))
        isFloat |= value.isTensor() && value.toTensor().is_floating_point();
      answers.push_back(isFloat ? c10::IValue(1.0) : c10::IValue(1));
      break;
    }
    case c10::TypeKind::BoolType:
      answers.emplace_back(true);
      break;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType:
      answers.emplace_back(1);
      break;
    case c10::TypeKind::FloatType:
      answers.emplace_back(1.0);
      break;
    default:
      return false;
    }
  }
  std::string name = calleeName(op.schema());
  report(name + " reads the contents of a tensor (item(), a condition on a "
                "tensor): a captured model cannot depend on them");
  tainted = true;
  TORCH_CHECK(++numItems < 100, "the model reads the contents of tensors over "
                                "and over");
  torch::jit::drop(stack, numArguments);
  for (c10::IValue &answer : answers)
    stack.push_back(std::move(answer));
  return true;
}

/// A factory's result type is written down, so that the run does not depend on
/// what the default type is by then.
static void fixDtype(const c10::FunctionSchema &schema, CallArguments &call,
                     const at::Tensor &result) {
  if (!call.operands.empty())
    return;
  for (size_t i = 0; i < call.args.size(); ++i)
    if (schema.arguments()[i].name() == "dtype" &&
        std::holds_alternative<NoneArg>(call.args[i]))
      if (auto element = elementType(result.scalar_type()))
        call.args[i] = *element;
}

void Recorder::call(const c10::OperatorHandle &op, c10::DispatchKeySet below,
                    torch::jit::Stack *stack) {
  const c10::FunctionSchema &schema = op.schema();
  std::string callee = calleeName(schema);
  size_t numArguments = schema.arguments().size();
  auto flush = c10::make_scope_exit([&] { flushReports(); });
  auto arguments = [&] { return torch::jit::last(*stack, numArguments); };
  {
    // What this does itself is not the model's.
    c10::impl::ExcludeDispatchKeyGuard silent(
        c10::DispatchKey::TESTING_ONLY_GenericMode);
    for (size_t i = stack->size() - numArguments; i < stack->size(); ++i)
      mapTensors((*stack)[i],
                 [&](const at::Tensor &t) { return resolve(op, t); });
  }
  if (answerItem(op, *stack, numArguments))
    return;
  setDevice(schema, arguments(), at::kMeta);
  CallArguments call = readArguments(schema, arguments());
  for (const std::string &what : call.unsupported)
    report(callee + ": " + what + ": not supported");
  for (const c10::Argument &argument : schema.arguments())
    if (argument.is_out()) {
      report(callee + " writes into an argument (out=): use the operator that "
                      "returns its result");
      break;
    }

  bool isRandom = isRandomCall(op, arguments());
  torch::jit::Stack values(std::make_move_iterator(stack->end() - numArguments),
                           std::make_move_iterator(stack->end()));
  torch::jit::drop(*stack, numArguments);
  MetaRun run(op, below);
  running = &run;
  auto reset = c10::make_scope_exit([&] { running = nullptr; });
  run.run(values);
  isRandom |= run.inside().drewRandom;

  std::vector<at::Tensor> results;
  bool hasPlain = false;
  for (const c10::IValue &value : values) {
    bool isTensor = value.isTensor() || value.isTensorList();
    hasPlain |= !isTensor;
    forEachTensor(value,
                  [&](const at::Tensor &tensor) { results.push_back(tensor); });
    stack->push_back(value);
  }
  if (run.dependsOnData()) {
    report(callee +
           (hasPlain ? " reads the contents of a tensor"
                     : " has a result whose shape depends on the "
                       "contents of a tensor") +
           ": a captured model cannot depend on them");
    tainted = true;
    // The caller goes on with what came out for zeros.
  }
  // Shapes and the like are plain numbers, known now.
  if (results.empty() && call.mutates.empty())
    return;
  // `x.to(x.dtype())`, `dropout(x, 0)`: nothing was done.
  bool isNothing = call.mutates.empty() && !hasPlain;
  for (const at::Tensor &result : results)
    isNothing &= result.defined() && find(result) >= 0;
  if (isNothing)
    return;
  if (!results.empty() && results[0].defined())
    fixDtype(schema, call, results[0]);

  RecordedOp recorded;
  recorded.callee = std::move(callee);
  recorded.args = std::move(call.args);
  recorded.mutates = call.mutates;
  for (const at::Tensor &operand : call.operands)
    recorded.operands.push_back(find(operand));
  finish(op, std::move(recorded), call, isRandom, results);
}

/// Whether autograd follows what is called now: neither NoGradGuard nor
/// AutoDispatchBelowAutograd is in force.
static bool isDifferentiated() {
  return at::GradMode::is_enabled() &&
         !c10::impl::tls_local_dispatch_key_set().excluded_.has_any(
             c10::autograd_dispatch_keyset);
}

void Recorder::finish(const c10::OperatorHandle &op, RecordedOp recorded,
                      const CallArguments &call, bool isRandom,
                      const std::vector<at::Tensor> &results) {
  for (const at::Tensor &result : results) {
    if (!result.defined()) {
      recorded.views.push_back(-1);
      recorded.results.push_back(static_cast<ValueId>(record.values.size()));
      newValue(emptyMeta({0}, {1}, at::kFloat, false));
      continue;
    }
    std::string what;
    if (!isSupported(result, what)) {
      report(recorded.callee + " gives " + what + ": not supported");
      tainted = true;
    }
    int32_t viewOf = -1;
    for (size_t i = call.operands.size(); i-- > 0;)
      if (shareStorage(result, call.operands[i]))
        viewOf = static_cast<int32_t>(i);
    for (size_t i = 0; i < call.operands.size(); ++i)
      if (result.is_same(call.operands[i]))
        viewOf = static_cast<int32_t>(i);
    recorded.views.push_back(viewOf);
    bool isKnown = find(result) >= 0;
    ValueId value = isKnown ? newValue(result) : declare(result);
    recorded.results.push_back(value);
    if (isKnown)
      continue;
    bornWith[value] = nullptr;
    if (result.requires_grad())
      bornWith[value] = result.grad_fn();
    // Reading what is not there is an error and not a crash.
    if (result.has_storage())
      result.storage()
          .unsafeGetStorageImpl()
          ->release_data_and_set_meta_custom_data_ptr_error_msg_(
              "while a model is captured its tensors have no data: data_ptr() "
              "and accessor() cannot be used, nor operators that need them");
  }
  recorded.noGrad = !isDifferentiated();
  recorded.path = paths.current();
  observer.observe(recorded, isRandom, call.operands, results);
  record.ops.push_back(std::move(recorded));
}

//===----------------------------------------------------------------------===//
// The listener
//===----------------------------------------------------------------------===//

static thread_local Recorder *listening = nullptr;

/// Sits on a key above autograd, autocast and functorch, which nothing else
/// uses; included on a thread only while a recorder listens.
static void onCall(const c10::OperatorHandle &op, c10::DispatchKeySet keys,
                   torch::jit::Stack *stack) {
  c10::DispatchKeySet below =
      keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER,
                                 c10::DispatchKey::TESTING_ONLY_GenericMode);
  if (listening && !listening->running) {
    listening->call(op, below, stack);
    return;
  }
  if (listening)
    listening->running->note(
        op, torch::jit::last(*stack, op.schema().arguments().size()));
  op.redispatchBoxed(below, stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&onCall>());
}

struct Recorder::Listening::Guards {
  c10::impl::IncludeDispatchKeyGuard include{
      c10::DispatchKey::TESTING_ONLY_GenericMode};
};

Recorder::Listening::Listening(Recorder &recorder)
    : guards(std::make_unique<Guards>()) {
  listening = &recorder;
}

Recorder::Listening::~Listening() { listening = nullptr; }
