//===- Sample.h - sample calls of operators -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A sample is a call written as text, as short as the schema allows:
//
//   "aten::sum.dim_IntList", "f[2,3], (-1)"
//
// Tensors: a kind, sizes in brackets, then flags.
//   f  standard normal          p  uniform in [0.5, 2]
//   u  uniform in [-0.9, 0.9]   g  one of -1, 0, 1 (ties and kinks: compared
//   b  bool                        with autograd, not with differences)
//   iN integers 0 .. N-1        sN distinct integers 0 .. N-1
//   '  not contiguous           :bf16 (and other types) of this type always
//   !  no gradient wanted
// Other arguments: 2, 2.5, inf, true, none, device, "text", f32 (a type),
// (1, 2) (a list of integers), [f[2], none] (a list of tensors). What is left
// out has the schema's default. A leading ~ says that the gradient is one by
// convention (a padding row's): compared with autograd alone.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_SAMPLE_H
#define NXDT_TEST_REGISTRY_SAMPLE_H

#include "nxdt/Plan/Plan.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nxdt::test {

struct TensorSpec {
  char kind = 'f';
  int64_t bound = 0; ///< of iN and sN
  std::vector<int64_t> shape;
  bool strided = false;
  bool wanted = true;
  std::optional<plan::DType> pinned;

  bool isFloat() const {
    return kind == 'f' || kind == 'p' || kind == 'u' || kind == 'g';
  }
  /// Whether its type changes from variant to variant.
  bool isFree() const { return isFloat() && !pinned; }
};

/// A call; ValueRefs among `args` are indices into `tensors`.
struct Sample {
  std::string callee, text;
  std::vector<plan::Arg> args;
  std::vector<TensorSpec> tensors;
  bool isConvention = false;
};

/// Types for the tensors: those that are free take them from the cycle, whose
/// last one goes on.
std::vector<plan::DType> dtypesOf(const Sample &sample,
                                  const std::vector<plan::DType> &cycle);

/// Throws std::invalid_argument with the place of the mistake.
Sample parseSample(const std::string &callee, const std::string &text);

/// The table: every operator's samples, by callee.
const std::map<std::string, std::vector<std::string>> &sampleTable();

// One per family, in the files Samples*.cpp.
using SampleTable = std::map<std::string, std::vector<std::string>>;
/// Rows "name name | sample | sample"; names without their `aten::`.
void addSampleRows(SampleTable &table, const std::string &rows);
void addPointwiseSamples(SampleTable &table);
void addShapeSamples(SampleTable &table);
void addReductionSamples(SampleTable &table);
void addProductSamples(SampleTable &table);
void addIndexingSamples(SampleTable &table);

/// Further calls, whose dims can be split into parts larger than one element.
const SampleTable &shardingSampleTable();

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_SAMPLE_H
