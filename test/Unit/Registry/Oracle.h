//===- Oracle.h - libtorch's own answers -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_ORACLE_H
#define NXDT_TEST_REGISTRY_ORACLE_H

#include "IrText.h"

#include "ATen/core/Tensor.h"

#include <functional>

namespace nxdt::test {

TensorType typeOf(const at::Tensor &tensor);

/// Arguments as the schema spells them: defaults filled in, an integer where a
/// float or a list is wanted converted. Throws if the operator does not exist.
void fillBySchema(Sample &sample);

/// Deterministic contents for the tensors of a sample, of these types; what is
/// strided comes as the base that the call sees a view of.
std::vector<at::Tensor> makeBases(const Sample &sample,
                                  const std::vector<plan::DType> &dtypes,
                                  uint64_t seed);
/// The tensors themselves.
std::vector<at::Tensor> viewBases(const Sample &sample,
                                  const std::vector<at::Tensor> &bases);

/// Calls the operator through the dispatcher; lists of results flattened.
std::vector<at::Tensor> callOperator(const Sample &sample,
                                     const std::vector<at::Tensor> &tensors);

using Function =
    std::function<std::vector<at::Tensor>(const std::vector<at::Tensor> &)>;
/// One per float result, undefined for the others.
std::vector<at::Tensor> makeCotangents(const std::vector<at::Tensor> &results,
                                       uint64_t seed);
/// Sum over results with a cotangent of result * cotangent, in f64.
at::Tensor lossOf(const std::vector<at::Tensor> &results,
                  const std::vector<at::Tensor> &cotangents);
/// Gradients of that loss for the wanted inputs by libtorch's autograd
/// (undefined where not wanted, zeros where it does not depend on one).
std::vector<at::Tensor> autogradOf(const Function &function,
                                   const std::vector<at::Tensor> &inputs,
                                   const std::vector<bool> &wanted,
                                   const std::vector<at::Tensor> &cotangents);
/// The same by central differences; f64 inputs only.
std::vector<at::Tensor>
differencesOf(const Function &function, const std::vector<at::Tensor> &inputs,
              const std::vector<bool> &wanted,
              const std::vector<at::Tensor> &cotangents);

/// max |a - b| / max(1, max |b|), or infinity if the shapes differ; equal
/// infinities and NaNs count as equal.
double difference(const at::Tensor &a, const at::Tensor &b);

/// Runs `probe` of a plan on the runtime's executor: sets these buffers, then
/// answers for others.
class PlanRun {
public:
  PlanRun(plan::Plan plan,
          const std::vector<std::pair<std::string, at::Tensor>> &buffers);
  ~PlanRun();
  void run(const std::string &program);
  at::Tensor buffer(const std::string &name) const;
  void set(const std::string &name, const at::Tensor &value);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_ORACLE_H
