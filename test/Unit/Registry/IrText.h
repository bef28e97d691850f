//===- IrText.h - programs around a sample call -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_REGISTRY_IRTEXT_H
#define NXDT_TEST_REGISTRY_IRTEXT_H

#include "Sample.h"

namespace nxdt::test {

struct TensorType {
  plan::DType dtype = plan::DType::F64;
  std::vector<int64_t> shape;
  bool operator==(const TensorType &) const = default;
};
std::string toString(const TensorType &type);

/// Whether a type has gradients.
bool isFloat(plan::DType dtype);

/// The type of the buffer that a strided tensor is a view of, and whether the
/// view is a transposition (else the last of two elements in a further dim).
TensorType baseType(const TensorSpec &spec, const TensorType &type);
bool isTransposed(const TensorSpec &spec);

/// The call alone, `%a0`, `%a1`, ... being its tensors, `%r` its results.
std::string callText(const Sample &sample, const std::vector<TensorType> &types,
                     const std::vector<TensorType> &results);

/// A module with `@forward`: parameters and buffers `t0`, `t1`, ... are the
/// tensors, `c0`, ... a cotangent for each float result, and the loss is the
/// sum over results of result * cotangent, in f64. Results in front of `first`
/// are not used.
std::string lossModule(const Sample &sample,
                       const std::vector<TensorType> &types,
                       const std::vector<TensorType> &results,
                       size_t first = 0);

/// The same for any body: `%a<i>` are the inputs, `%r<i>` the results.
struct Input {
  TensorType type;
  bool isParam = false;
};
std::string lossModule(const std::vector<Input> &inputs,
                       const std::string &body,
                       const std::vector<TensorType> &results,
                       size_t first = 0);

} // namespace nxdt::test

#endif // NXDT_TEST_REGISTRY_IRTEXT_H
