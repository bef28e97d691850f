//===- HostTensorTest.cpp - checksums and conversions ---------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "runtime/Checkpoint/Crc.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace nxdt::runtime;
using namespace nxdt::runtime::test;
using nxdt::plan::DType;

TEST(Crc, KnownValues) {
  // The check values of both polynomials' definitions.
  EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
  EXPECT_EQ(crc32cPortable(0, "123456789", 9), 0xe3069283u);
  EXPECT_EQ(crc32(0, "123456789", 9), 0xcbf43926u);
}

TEST(Crc, InPiecesAndPortable) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text.push_back(static_cast<char>(i * 7 + i / 3));
  for (size_t cut : {0, 1, 7, 8, 500, 999, 1000}) {
    uint32_t first = crc32c(0, text.data(), cut);
    EXPECT_EQ(crc32c(first, text.data() + cut, text.size() - cut),
              crc32cPortable(0, text.data(), text.size()));
  }
}

TEST(HostTensor, SixteenBitsAndBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    if (!std::isnan(f16ToFloat(half))) {
      EXPECT_EQ(floatToF16(f16ToFloat(half)), half);
    }
    if (!std::isnan(bf16ToFloat(half))) {
      EXPECT_EQ(floatToBf16(bf16ToFloat(half)), half);
    }
  }
  EXPECT_TRUE(std::isnan(f16ToFloat(floatToF16(NAN))));
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(NAN))));
}

TEST(HostTensor, RoundsToNearestEven) {
  // Between two neighbours: below half, half (to the even one), above half.
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    auto half = static_cast<uint16_t>(bits);
    double low = f16ToFloat(half);
    double high = f16ToFloat(static_cast<uint16_t>(half + 1));
    auto middle = static_cast<float>((low + high) / 2);
    EXPECT_EQ(floatToF16(middle), bits % 2 ? half + 1 : half) << bits;
    EXPECT_EQ(floatToF16(std::nextafter(middle, 0.0f)), half) << bits;
    EXPECT_EQ(floatToF16(std::nextafter(middle, INFINITY)), half + 1) << bits;
  }
  EXPECT_EQ(floatToBf16(1.0f + 0x1p-8f), 0x3f80);   // a tie, to even
  EXPECT_EQ(floatToBf16(1.0f + 0x1.8p-7f), 0x3f82); // a tie, to even
  EXPECT_EQ(floatToBf16(1.0f + 0x1.02p-8f), 0x3f81);
}

TEST(HostTensor, DoublesAreRoundedOnce) {
  // Just above a tie in bf16, by less than a float can hold.
  double value = 1.0 + 0x1p-8 + 0x1p-40;
  auto tensor = makeHostTensor(DType::F64, {1}, &value);
  HostTensor result = convert(tensor, DType::BF16, "x");
  EXPECT_EQ(*result.as<uint16_t>(), 0x3f81);
}

TEST(HostTensor, ConversionErrors) {
  expectError(
      [] {
        convert(floats({2}, {1, 70000}), DType::F16, "w");
      },
      {"w: element 1 is 70000", "too large for f16"});
  int64_t one = 1;
  auto ints = makeHostTensor(DType::I64, {1}, &one);
  expectError([&] { convert(ints, DType::F32, "w"); }, {"w: has type i64"});
  // Infinity itself is no overflow.
  HostTensor infinite = convert(floats({1}, {INFINITY}), DType::F16, "w");
  EXPECT_EQ(*infinite.as<uint16_t>(), 0x7c00);
}
