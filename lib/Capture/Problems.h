//===- Problems.h - what keeps a module from being captured -----*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_PROBLEMS_H
#define NXDT_CAPTURE_PROBLEMS_H

#include "Record.h"

#include <map>

namespace nxdt::capture {

/// Collects all problems of one capture, so that they are reported at once.
/// The same problem in several modules is one problem.
class Problems {
public:
  /// `opIndex`: number of the operator in the record of forward, by which a
  /// path that is not known yet can be found later; -1 = the path is final.
  void add(std::string message, std::string path, int32_t opIndex = -1,
           bool isWarning = false);
  bool hasErrors() const;
  /// Fills in paths of problems that know only their operator.
  void resolvePaths(const Record &forward);
  /// In the order in which they came up.
  std::vector<Problem> finish() const;

private:
  struct Entry {
    std::string message;
    bool isWarning;
    std::vector<std::pair<std::string, int32_t>> places;
  };
  std::vector<Entry> entries;
  std::map<std::string, size_t> entryOf;
};

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_PROBLEMS_H
