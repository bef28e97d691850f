//===- SamplesProducts.cpp - matrix products -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

void nxdt::test::addProductSamples(SampleTable &table) {
  addSampleRows(table, R"(
linear | f[2,3], f[4,3] | f[2,2,3]', f[4,3], f[4] | f[3], f[4,3]', f[4]
matmul | f[2,3], f[3,4] | f[2,3]', f[3] | f[3], f[3,4]' | f[3], f[3] | f[2,2,3], f[3,4] | f[2,1,2,3], f[3,3,4]' | f[5,2,3], f[3] | f[3], f[5,3,2] | f[2,3], f[2,3,4] | f[0,3], f[3,2]
mm | f[2,3], f[3,4] | f[2,3]', f[3,4]'
bmm | f[2,2,3], f[2,3,4] | f[2,2,3]', f[2,3,4]'
mv | f[2,3], f[3] | f[2,3]', f[3]'
dot | f[3], f[3] | f[3]', f[3]'
vdot | f[3], f[3]
outer | f[2], f[3] | f[2]', f[3]'
addmm | f[2,4], f[2,3], f[3,4] | f[4], f[2,3]', f[3,4]', 0.5, 2 | f[], f[2,3], f[3,4], 1, 1 | f[2,1], f[2,3], f[3,4], 2, 1
addmv | f[2], f[2,3], f[3] | f[], f[2,3]', f[3], 0.5, 2
baddbmm | f[2,2,4], f[2,2,3], f[2,3,4] | f[4], f[2,2,3]', f[2,3,4]', 0.5, 2
)");
}
