//===- RandomText.h - writing random programs -------------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_PASSES_RANDOMTEXT_H
#define NXDT_TEST_PASSES_RANDOMTEXT_H

#include <ATen/core/Tensor.h>

#include <random>
#include <string>

namespace nxdt::test {

/// The same numbers on every machine: std::uniform_int_distribution is not.
class Dice {
public:
  explicit Dice(uint64_t seed) : engine(seed) {}
  /// 0 .. below - 1.
  int64_t roll(int64_t below) {
    return static_cast<int64_t>(engine() % static_cast<uint64_t>(below));
  }
  /// low .. high.
  int64_t between(int64_t low, int64_t high) {
    return low + roll(high - low + 1);
  }

private:
  std::mt19937_64 engine;
};

inline std::string elementText(at::ScalarType type) {
  switch (type) {
  case at::kFloat:
    return "f32";
  case at::kDouble:
    return "f64";
  case at::kBFloat16:
    return "bf16";
  case at::kLong:
    return "i64";
  case at::kInt:
    return "i32";
  case at::kBool:
    return "i1";
  default:
    return "?";
  }
}

inline std::string typeText(const at::Tensor &tensor) {
  std::string text = "tensor<";
  for (int64_t size : tensor.sizes())
    text += std::to_string(size) + "x";
  return text + elementText(tensor.scalar_type()) + ">";
}

inline std::string listText(at::IntArrayRef values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? ": " : ", ") + std::to_string(value);
  return "array<i64" + text + ">";
}

} // namespace nxdt::test

#endif // NXDT_TEST_PASSES_RANDOMTEXT_H
