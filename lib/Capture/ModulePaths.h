//===- ModulePaths.h - which module an operator belongs to ------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_MODULEPATHS_H
#define NXDT_CAPTURE_MODULEPATHS_H

#include "Record.h"

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace torch::nn {
class Module;
} // namespace torch::nn

namespace nxdt::capture {

/// Follows nxdt::ModuleScope on this thread while it lives. One at a time.
class ModulePaths {
public:
  ModulePaths();
  ~ModulePaths();
  ModulePaths(const ModulePaths &) = delete;
  ModulePaths &operator=(const ModulePaths &) = delete;

  /// Learns the names of a finished module's submodules.
  void setRoot(const torch::nn::Module &root);
  /// Paths of modules that libtorch brings (torch::nn::Linear, ...).
  const std::set<std::string> &libraryModules() const { return library; }
  /// Path of the innermost scope; empty outside of scopes and for the root.
  const std::string &current() const;
  /// Where the exception that ended the run came from: the innermost scope
  /// that it left; current() if it left none.
  const std::string &thrownFrom() const;

  /// For the scope events.
  void enter(const void *module);
  void leave();

private:
  uint64_t callback;
  std::unordered_map<const void *, std::string> names;
  std::set<std::string> library;
  std::vector<std::string> stack;
  std::string thrown;
};

/// Gives a path to operators of `record` that have none, and a longer one to
/// those that read a parameter of a submodule: an operator belongs to the
/// module of its parameter; one without, to that of the parameter which was
/// read last, or to the module around it if it is one of `libraryModules`,
/// which end with the operator that reads their parameters. `paramOf` maps
/// values to parameter names.
void inferPaths(Record &record, const std::map<ValueId, std::string> &paramOf,
                const std::set<std::string> &libraryModules);

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_MODULEPATHS_H
