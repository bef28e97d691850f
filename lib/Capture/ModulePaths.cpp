//===- ModulePaths.cpp - which module an operator belongs to --------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ModulePaths.h"

#include "nxdt/Model.h"

#include <exception>

using namespace nxdt::capture;

static thread_local ModulePaths *active = nullptr;

static std::unique_ptr<at::ObserverContext>
onEnter(const at::RecordFunction &event) {
  if (std::string_view(event.name()) == nxdt::ModuleScope::kName)
    active->enter(
        reinterpret_cast<const void *>(static_cast<intptr_t>(event.seqNr())));
  return nullptr;
}

static void onLeave(const at::RecordFunction &event, at::ObserverContext *) {
  if (std::string_view(event.name()) == nxdt::ModuleScope::kName)
    active->leave();
}

ModulePaths::ModulePaths() {
  active = this;
  callback =
      at::addThreadLocalCallback(at::RecordFunctionCallback(onEnter, onLeave)
                                     .scopes({at::RecordScope::USER_SCOPE}));
}

ModulePaths::~ModulePaths() {
  at::removeCallback(callback);
  active = nullptr;
}

void ModulePaths::setRoot(const torch::nn::Module &root) {
  for (const auto &module : root.named_modules(std::string(), false)) {
    names.try_emplace(module.value().get(), module.key());
    if (module.value()->name().starts_with("torch::nn::"))
      library.insert(module.key());
  }
}

const std::string &ModulePaths::current() const {
  static const std::string none;
  return stack.empty() ? none : stack.back();
}

const std::string &ModulePaths::thrownFrom() const {
  return thrown.empty() ? current() : thrown;
}

void ModulePaths::enter(const void *module) {
  thrown.clear();
  auto it = names.find(module);
  // A module that is not registered belongs to whoever calls it.
  stack.push_back(it == names.end() ? current() : it->second);
}

void ModulePaths::leave() {
  if (std::uncaught_exceptions() > 0 && thrown.empty())
    thrown = stack.back();
  stack.pop_back();
}

//===----------------------------------------------------------------------===//
// Inference
//===----------------------------------------------------------------------===//

/// Whether `inner` is `outer` or below it.
static bool isWithin(const std::string &inner, const std::string &outer) {
  return outer.empty() || inner == outer ||
         (inner.size() > outer.size() && inner.starts_with(outer) &&
          inner[outer.size()] == '.');
}

static std::string commonModule(const std::string &a, std::string b) {
  while (!isWithin(a, b))
    b = moduleOf(b);
  return b;
}

void nxdt::capture::inferPaths(Record &record,
                               const std::map<ValueId, std::string> &paramOf,
                               const std::set<std::string> &libraryModules) {
  size_t count = record.ops.size();
  // The path by the operator's own parameter, where it has one. A view of a
  // parameter (W^T) is that parameter.
  std::map<ValueId, std::string> paramOrView = paramOf;
  std::vector<std::optional<std::string>> own(count);
  for (size_t i = 0; i < count; ++i) {
    const RecordedOp &op = record.ops[i];
    for (ValueId operand : op.operands) {
      auto it = paramOrView.find(operand);
      if (it == paramOrView.end())
        continue;
      std::string module = moduleOf(it->second);
      own[i] = own[i] ? commonModule(*own[i], module) : module;
    }
    for (size_t k = 0; k < op.results.size(); ++k)
      if (op.views[k] >= 0)
        if (auto it = paramOrView.find(op.operands[op.views[k]]);
            it != paramOrView.end())
          paramOrView.try_emplace(op.results[k], it->second);
  }
  std::vector<std::optional<std::string>> next(count + 1);
  for (size_t i = count; i-- > 0;)
    next[i] = own[i] ? own[i] : next[i + 1];
  std::optional<std::string> previous;
  for (size_t i = 0; i < count; ++i) {
    RecordedOp &op = record.ops[i];
    if (own[i]) {
      previous = own[i];
      if (isWithin(*own[i], op.path))
        op.path = *own[i];
      continue;
    }
    if (!op.path.empty())
      continue;
    if (!previous)
      op.path = next[i] ? moduleOf(*next[i]) : std::string();
    else if (next[i] && isWithin(*next[i], *previous))
      op.path = *previous;
    else
      op.path =
          libraryModules.count(*previous) ? moduleOf(*previous) : *previous;
  }
}
