//===- Record.h - what capture saw, in plain structs ------------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The border between the half of capture that knows torch and the half that
// knows MLIR: neither's headers are needed here.
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_CAPTURE_RECORD_H
#define NXDT_CAPTURE_RECORD_H

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nxdt::capture {

/// I8 is torch's unsigned Byte.
enum class ElementType { F64, F32, BF16, F16, I64, I32, I8, Bool };

struct ValueType {
  ElementType element = ElementType::F32;
  std::vector<int64_t> shape;
};

/// "a.b" of "a.b.weight": the module that a parameter belongs to.
inline std::string moduleOf(const std::string &name) {
  size_t dot = name.rfind('.');
  return dot == std::string::npos ? std::string() : name.substr(0, dot);
}

/// Index into Record::values.
using ValueId = int32_t;

/// Arguments that are not tensors' contents.
struct NoneArg {};
struct DeviceArg {};
/// The next of the operator's operands.
struct OperandArg {};
/// A list of tensors: true = the next operand, false = none.
struct OperandListArg {
  std::vector<bool> present;
};
using Arg =
    std::variant<NoneArg, DeviceArg, OperandArg, OperandListArg, bool, int64_t,
                 double, std::string, ElementType, std::vector<int64_t>,
                 std::vector<double>, std::vector<bool>>;

/// One call of an operator.
struct RecordedOp {
  /// "aten::add.Tensor"; without a point if the overload has no name.
  std::string callee;
  /// The schema's whole argument list.
  std::vector<Arg> args;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  /// Numbers of the operands that it writes to.
  std::vector<int32_t> mutates;
  /// Per result the operand whose memory it shares, or -1.
  std::vector<int32_t> views;
  bool noGrad = false;
  /// Module path ("model.layers.0.mlp"); empty = unknown or the root.
  std::string path;
};

/// Operators in the order of their calls. A value is a tensor object: an
/// operator that mutates it does not give it another number.
struct Record {
  std::vector<ValueType> values;
  std::vector<RecordedOp> ops;
};

/// How a parameter's elements come to be (see nxdt.buffer).
struct ParamInit {
  enum class Kind { Constant, Normal, Uniform } kind = Kind::Constant;
  double a = 0.0; ///< value | mean | low
  double b = 0.0; ///< - | standard deviation | high
};

struct CapturedParam {
  std::string name;
  /// Further names of the same tensor.
  std::vector<std::string> tied;
  ValueType type;
  /// Absent only if forward does not use it.
  std::optional<ParamInit> init;
  /// Its value in `forward`.
  ValueId value = -1;
};

struct CapturedBuffer {
  std::string name;
  ValueType type;
  /// Its value at the end of `init`.
  ValueId initValue = -1;
  /// Its value in `forward`.
  ValueId value = -1;
  bool isMutated = false;
};

/// A whole model.
struct CapturedModel {
  /// The part of the constructor that computes buffers.
  Record init;
  Record forward;
  std::vector<CapturedParam> params;
  std::vector<CapturedBuffer> buffers;
  ValueId inputIds = -1;
  ValueId logits = -1;
};

/// Something that keeps a module from being captured, or (warnings) that its
/// author should know.
struct Problem {
  std::string message;
  /// Module path, as in RecordedOp.
  std::string path;
  bool isWarning = false;
};

} // namespace nxdt::capture

#endif // NXDT_CAPTURE_RECORD_H
