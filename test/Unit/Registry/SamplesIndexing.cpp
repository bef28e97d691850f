//===- SamplesIndexing.cpp - look-ups by index -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

void nxdt::test::addIndexingSamples(SampleTable &table) {
  addSampleRows(table, R"(
embedding | f[5,3], i5[2,2] | f[5,3]', i5[4] | ~f[5,3], i5[6], 1 | f[5,3], i5[] | ~f[5,3], i3[6], -1, true | f[5,3], i5[4]:i32
embedding_dense_backward | f[2,2,3], i5[2,2], 5, -1, false
gather | f[3,4], 1, i4[3,2] | f[3,4]', 0, i3[2,4] | f[4], -1, i4[5] | f[3,4], 1, i4[2,2] | f[], 0, i1[]
index_select | f[3,4], 0, i3[5] | f[3,4]', -1, i4[2] | f[4], 0, i4[] | f[3,4], 1, i4[3]:i32
index.Tensor | f[5,3], [i5[4]] | f[5,3]', [none, i3[2,2]] | f[4,3], [i4[2,1], i3[3]] | f[4,3,2], [i4[3], none, i2[3]] | f[4,3,2], [none, i3[3], i2[3]] | f[5,3], [i5[]] | f[5], [i5[4]:i32]
index_put | f[5,3], [i5[4]], f[4,3], true | f[5,3], [s5[3]], f[3,3] | f[4,3]', [none, s3[2]], f[], false
scatter.src | f[3,4], 1, s4[1,4], f[1,4] | f[3,4]', 0, i1[1,4], f[1,4]
scatter.value | f[3,4], 1, i4[3,2], 1.5
scatter_add | f[3,4], 1, i4[3,2], f[3,2]
index_add | f[3,4], 0, i3[5], f[5,4] | f[3,4]', 1, i4[2], f[3,2], 0.5
index_fill.int_Scalar | f[3,4], 0, s3[2], 1.5
one_hot | i5[4], 5
)");
}
