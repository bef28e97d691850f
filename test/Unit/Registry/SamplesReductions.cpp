//===- SamplesReductions.cpp - reductions, softmax and norms -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

void nxdt::test::addReductionSamples(SampleTable &table) {
  addSampleRows(table, R"(
sum | f[2,3] | f[2,3]' | f[] | f[2,3], f32 | b[3]
mean | f[2,3] | f[2,3]' | f[] | f[2,3], f32
sum.dim_IntList | f[2,3], (0) | f[2,3,2]', (-1,0), true | f[2,3], () | f[2,3], none | f[], (0) | f[2,3], (1), false, f32 | f[3], (0), true | f[2,0,3], (1)
mean.dim | f[2,3], (0) | f[2,3,2]', (-1,0), true | f[2,3], () | f[2,3], none | f[2,3], (1), false, f32
amax amin | f[2,3], (1) | f[2,3]', (0,1), true | f[2,3] | g[6], (0) | g[2,4], (1)
max min | f[2,3] | f[2,3]' | g[6]
max.dim min.dim | f[2,3], 1 | f[2,3]', 0, true | f[2,3], -1, true | f[], 0
argmax argmin | f[2,3] | f[2,3], 1 | f[2,3]', -1, true
any all | b[2,3] | f[3]
any.dim all.dim | b[2,3], 1 | b[2,3]', 0, true
sort | f[2,4], 1 | f[3,2]', 0, true
argsort | f[2,4], 1 | f[3,2]', 0, true
topk | f[2,5], 2 | f[5,2]', 3, 0 | f[4], 2, -1, false
cumsum | f[2,3], 1 | f[2,3]', 0 | f[3], -1, f32 | f[], 0
var std | f[2,3] | f[2,3], false
var.dim std.dim | f[2,3], (1) | f[2,3]', (0,1), false, true | f[2,3], none, true, false
var.correction std.correction | f[2,3], (1) | f[2,3]', (0), 0, true | f[2,3], none, 2 | f[2,3], (-1), 0.5
var_mean.correction std_mean.correction | f[2,3], (1) | f[2,3]', (0), 0, true
linalg_vector_norm | f[2,3] | f[2,3]', 2, (1) | f[2,3], 1, (0), true | f[2,3], 3, (-1) | p[3], 0.5 | f[2,3]:bf16, 2, none, false, f32 | f[2,3], inf, (1) | f[3], 0
norm.Scalar | f[2,3] | f[3], 1
norm.ScalarOpt_dim | f[2,3], 2, (1) | f[2,3]', none, (0), true
logsumexp | f[2,3], (1) | f[2,3]', (0,1), true | f[3], (-1) | f[], (0)
softmax.int log_softmax.int | f[2,3], 1 | f[2,3]', 0 | f[2,3,2], -2 | f[3], -1, f32 | f[2,3]:bf16, 1, f32 | f[], 0
_softmax _log_softmax | f[2,3], 1, false | f[2,3]', -1, false
_softmax_backward_data _log_softmax_backward_data | f[2,3]:f64, p[2,3]:f64, 1, f64 | f[2,3]:f32, p[2,3]:f32, -1, f32
layer_norm | f[2,3,4], (4) | f[2,3,4]', (3,4), f[3,4], f[3,4] | f[2,5], (5), f[5], none, 0.1 | f[2,5], (5), none, f[5] | f[4], (4), f[4], f[4]
rms_norm | f[2,3,4], (4) | f[2,3,4]', (3,4), f[3,4], 1e-5 | f[2,5], (5), f[5] | f[4], (4), f[4], 0.1
group_norm | f[2,4,3], 2 | f[2,4,3]', 4, f[4], f[4], 0.1 | f[3,12], 3, f[12], none
nll_loss_forward | f[3,4], i4[3], none, 2, -100
nll_loss_backward | f[], f[3,4], i4[3], none, 2, -100, f[]
)");
}
