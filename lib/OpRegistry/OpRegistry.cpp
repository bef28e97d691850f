//===- OpRegistry.cpp - the table -----------------------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Families.h"

using namespace mlir;
using namespace nxdt;

const OpRegistry &OpRegistry::get() {
  static const OpRegistry registry = [] {
    OpRegistry r;
    for (auto family :
         {registerArithmetic, registerFunctions, registerActivations,
          registerCopies, registerComparisons, registerSelection,
          registerReshapes, registerPermutations, registerParts, registerJoins,
          registerReductions, registerExtrema, registerStatistics,
          registerSoftmax, registerNormalisation, registerMatMul,
          registerFactories, registerIndexing, registerLoss})
      family(r);
    return r;
  }();
  return registry;
}

const OpInfo *OpRegistry::lookup(StringRef callee) const {
  auto it = entries.find(callee);
  return it == entries.end() ? nullptr : &it->second;
}

std::vector<StringRef> OpRegistry::callees() const {
  std::vector<StringRef> names;
  for (auto &entry : entries)
    names.push_back(entry.first());
  llvm::sort(names);
  return names;
}

OpInfo &OpRegistry::add(StringRef callee) {
  auto [it, inserted] = entries.try_emplace(callee);
  if (!inserted)
    llvm::report_fatal_error(llvm::Twine("registered twice: ") + callee);
  it->second.callee = callee.str();
  return it->second;
}
