//===- HostTensor.cpp - tensors in host memory ----------------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Checkpoint/HostTensor.h"

#include "nxdt/Support/UserError.h"
#include "runtime/Memory/Bytes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace nxdt::runtime {

using plan::DType;

int64_t HostTensor::numel() const {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return count;
}

int64_t HostTensor::sizeBytes() const {
  return numel() * plan::byteSize(dtype);
}

std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

HostTensor makeHostTensor(DType dtype, std::vector<int64_t> shape,
                          const void *bytes) {
  HostTensor tensor{dtype, std::move(shape), nullptr};
  auto size = static_cast<size_t>(tensor.sizeBytes());
  std::shared_ptr<std::byte[]> memory(new std::byte[std::max<size_t>(size, 1)],
                                      [size](std::byte *gone) {
                                        delete[] gone;
                                        countBytes(-int64_t(size));
                                      });
  countBytes(int64_t(size));
  if (bytes && size)
    std::memcpy(memory.get(), bytes, size);
  tensor.data = std::shared_ptr<const std::byte>(memory, memory.get());
  return tensor;
}

//===----------------------------------------------------------------------===//
// Single elements
//===----------------------------------------------------------------------===//

float bf16ToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

uint16_t floatToBf16(float value) {
  if (std::isnan(value))
    return 0x7fc0;
  auto bits = std::bit_cast<uint32_t>(value);
  // Half of the last kept bit, a tie goes to the even one.
  bits += 0x7fff + ((bits >> 16) & 1);
  return static_cast<uint16_t>(bits >> 16);
}

float f16ToFloat(uint16_t bits) {
  int exponent = (bits >> 10) & 0x1f;
  auto mantissa = static_cast<uint32_t>(bits & 0x3ff);
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  if (exponent == 0x1f)
    return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  // Zero and subnormals: multiples of 2^-24, exact in float.
  if (exponent == 0) {
    float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(
      sign | (static_cast<uint32_t>(exponent + 112) << 23) | (mantissa << 13));
}

uint16_t floatToF16(float value) {
  auto bits = std::bit_cast<uint32_t>(value);
  auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  // 65520 and above round to infinity.
  if (magnitude >= 0x477ff000)
    return sign | 0x7c00;
  // Below 2^-14: the result is subnormal. Adding 0.5 leaves the multiple of
  // 2^-24, rounded by the FPU, in the low bits.
  if (magnitude < 0x38800000) {
    float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return sign |
           static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  magnitude += 0xfff + ((magnitude >> 13) & 1);
  return sign | static_cast<uint16_t>((magnitude - 0x38000000) >> 13);
}

//===----------------------------------------------------------------------===//
// Whole tensors
//===----------------------------------------------------------------------===//

namespace {

bool isFloating(DType dtype) {
  return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::BF16 ||
         dtype == DType::F16;
}

template <DType from> double load(const std::byte *data, int64_t i) {
  if constexpr (from == DType::F64)
    return reinterpret_cast<const double *>(data)[i];
  else if constexpr (from == DType::F32)
    return reinterpret_cast<const float *>(data)[i];
  else if constexpr (from == DType::BF16)
    return bf16ToFloat(reinterpret_cast<const uint16_t *>(data)[i]);
  else
    return f16ToFloat(reinterpret_cast<const uint16_t *>(data)[i]);
}

/// Rounds a double to odd in float, so that a second rounding to 16 bits is
/// right.
float toOddFloat(double value) {
  auto narrow = static_cast<float>(value);
  if (std::isnan(value) || std::isinf(narrow) || narrow == value)
    return narrow;
  auto bits = std::bit_cast<uint32_t>(narrow);
  if (std::fabs(narrow) > std::fabs(value))
    bits -= 1;
  return std::bit_cast<float>(bits | 1);
}

/// Stores and tells whether a finite value became infinite.
template <DType to> bool store(std::byte *data, int64_t i, double value) {
  if constexpr (to == DType::F64) {
    reinterpret_cast<double *>(data)[i] = value;
    return false;
  } else if constexpr (to == DType::F32) {
    auto result = static_cast<float>(value);
    reinterpret_cast<float *>(data)[i] = result;
    return std::isinf(result) && std::isfinite(value);
  } else {
    float narrow = toOddFloat(value);
    uint16_t bits =
        to == DType::BF16 ? floatToBf16(narrow) : floatToF16(narrow);
    reinterpret_cast<uint16_t *>(data)[i] = bits;
    constexpr uint16_t infinity = to == DType::BF16 ? 0x7f80 : 0x7c00;
    return (bits & 0x7fff) == infinity && std::isfinite(value);
  }
}

/// Index of the first value that overflows, or -1.
template <DType from, DType to>
int64_t convertAll(const std::byte *in, std::byte *out, int64_t count) {
  int64_t overflow = -1;
  for (int64_t i = 0; i < count; ++i)
    if (store<to>(out, i, load<from>(in, i)) && overflow < 0)
      overflow = i;
  return overflow;
}

template <DType from>
int64_t convertFrom(const std::byte *in, std::byte *out, int64_t count,
                    DType to) {
  switch (to) {
  case DType::F64:
    return convertAll<from, DType::F64>(in, out, count);
  case DType::F32:
    return convertAll<from, DType::F32>(in, out, count);
  case DType::BF16:
    return convertAll<from, DType::BF16>(in, out, count);
  default:
    return convertAll<from, DType::F16>(in, out, count);
  }
}

} // namespace

HostTensor convert(const HostTensor &tensor, DType dtype,
                   std::string_view what) {
  if (tensor.dtype == dtype)
    return tensor;
  if (!isFloating(tensor.dtype) || !isFloating(dtype))
    throw UserError(std::string(what) + ": has type " +
                    std::string(plan::name(tensor.dtype)) +
                    ", which cannot become " + std::string(plan::name(dtype)) +
                    " (f32, bf16, f16 and f64 can)");
  HostTensor result = makeHostTensor(dtype, tensor.shape, nullptr);
  auto *out = const_cast<std::byte *>(result.data.get());
  const std::byte *in = tensor.data.get();
  int64_t count = tensor.numel();
  int64_t overflow = -1;
  double value = 0.0;
  switch (tensor.dtype) {
  case DType::F64:
    overflow = convertFrom<DType::F64>(in, out, count, dtype);
    value = overflow < 0 ? 0.0 : load<DType::F64>(in, overflow);
    break;
  case DType::F32:
    overflow = convertFrom<DType::F32>(in, out, count, dtype);
    value = overflow < 0 ? 0.0 : load<DType::F32>(in, overflow);
    break;
  case DType::BF16:
    overflow = convertFrom<DType::BF16>(in, out, count, dtype);
    value = overflow < 0 ? 0.0 : load<DType::BF16>(in, overflow);
    break;
  default:
    overflow = convertFrom<DType::F16>(in, out, count, dtype);
    break;
  }
  if (overflow >= 0)
    throw UserError(std::string(what) + ": element " +
                    std::to_string(overflow) + " is " + std::to_string(value) +
                    ", too large for " + std::string(plan::name(dtype)));
  return result;
}

} // namespace nxdt::runtime
