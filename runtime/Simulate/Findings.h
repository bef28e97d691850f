//===- Findings.h - the largest differences of a simulation -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_RUNTIME_SIMULATE_FINDINGS_H
#define NXDT_RUNTIME_SIMULATE_FINDINGS_H

#include "runtime/Simulate/Tensors.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::runtime {

/// By kind ("gradients") the largest difference and where it is; and the first
/// one that is too large.
class Findings {
public:
  struct Difference {
    std::string text;      ///< "step 1: gradients of model.norm on rank 2: ..."
    std::string operation; ///< where it begins, if that is known
  };

  /// Completed steps + 1; 0 = before the first.
  void setStep(int64_t number) { step = number; }
  /// Returns whether this is the first difference beyond what is allowed.
  bool note(const std::string &kind, const std::string &name,
            const Apart &apart, const Tolerance &allowed);
  /// For what must hold exactly.
  bool noteExact(const std::string &kind, const std::string &name, int64_t rank,
                 bool holds);
  /// Tensors compared beyond those noted.
  void count(const std::string &kind, int64_t tensors);
  void setOperation(const std::string &operation);

  const std::optional<Difference> &first() const { return difference; }
  /// A line for each kind.
  std::string table() const;

private:
  struct Kind {
    std::string name;
    bool isExact = false;
    int64_t compared = 0;
    double largest = 0.0;
    std::string where;
    int64_t failures = 0;
  };
  Kind &kindOf(const std::string &name);
  std::string placeOf(const std::string &name, int64_t rank) const;

  int64_t step = 0;
  std::vector<Kind> kinds;
  std::optional<Difference> difference;
};

} // namespace nxdt::runtime

#endif // NXDT_RUNTIME_SIMULATE_FINDINGS_H
