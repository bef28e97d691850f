//===- SamplesPointwise.cpp - elementwise operators -*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

void nxdt::test::addPointwiseSamples(SampleTable &table) {
  addSampleRows(table, R"(
add.Tensor sub.Tensor | f[2,3], f[2,3] | f[2,3], f[3], 2 | f[2,1]', f[3], 0.5 | f[2,3]', f[] | f[], f[2,2], 3 | f[], f[] | f[0,3], f[3] | f[2,3]:bf16, f[]:f32 | f[2]:bf16, f[1]:f32
mul.Tensor | f[2,3], f[2,3] | f[2,1], f[4] | f[3]', f[2,3]' | f[], f[2] | f[2], f[] | f[2,3]:bf16, f[]:f32 | f[2], b[2] | i3[2], f[2]
div.Tensor | f[2,3], p[2,3] | f[3], p[2,1] | f[2,2]', p[] | f[], p[3]
add.Scalar sub.Scalar | f[2,3], 2 | f[2]', 2.5, 3 | f[], 1, 2.5 | i5[2], 1 | i5[2], 1.5
rsub.Scalar | f[2,3], 2 | f[2]', 2.5, 3 | f[], 1, 2.5
rsub.Tensor | f[2,3], f[3] | f[2], f[], 3 | f[], f[2], 0.5
mul.Scalar | f[2,3], 2 | f[2]', 2.5 | f[], -1 | b[2], 2 | b[2], 2.5 | i3[2], 2.5
div.Scalar | f[2,3], 2 | f[2]', 2.5 | f[], -1 | i5[3], 2
div.Tensor_mode | f[2,3], p[3], none | f[2,3], p[3], "trunc" | f[2,3]', p[2,3], "floor"
div.Scalar_mode | f[2,3], 2, none | f[2,3], 0.5, "trunc" | f[2,3], 0.5, "floor"
remainder.Tensor fmod.Tensor | f[2,3], p[3] | f[2,3]', p[]
remainder.Scalar fmod.Scalar | f[2,3], 0.5 | f[3], 2
pow.Tensor_Scalar | f[2,3], 2 | f[2,3], 3 | p[2,3]', 0.5 | p[3], -1.5 | p[3], -1 | f[3], 1 | f[3], 0 | g[5], 2 | g[5], 1 | g[5], 3 | p[], 2.5
pow.Scalar | 2, f[2,3] | 2.5, f[3]' | 1, f[2] | 0, p[2]
pow.Tensor_Tensor | p[2,3], f[2,3] | p[3], f[] | p[2,1]', f[3]
square | f[2,3] | f[2,3]' | f[]
neg positive | f[2,3] | f[2,3]' | f[]
exp exp2 expm1 sin cos tanh sigmoid erf sinh cosh atan silu mish | f[2,3] | f[2,3]' | f[] | f[0]
tan asin acos atanh | u[2,3] | u[2]' | u[]
asinh | f[2,3]
log log2 log10 sqrt rsqrt reciprocal | p[2,3] | p[2,3]' | p[]
log1p | u[2,3] | u[3]' | u[]
log_sigmoid | f[2,3] | f[3]' | f[]
gelu | f[2,3] | f[2,3]', "tanh" | f[], "none"
relu relu6 | f[2,3] | f[2,3]' | g[6] | f[]
elu | f[2,3] | f[3]', 0.5 | f[2,3], 1.5, 2, 0.5
leaky_relu | f[2,3] | f[2,3]', 0.2 | g[5], 0.1
hardtanh | f[2,3] | f[2,3]', -0.5, 0.75 | g[8]
softplus | f[2,3] | f[3]', 2 | f[3], 1, 0.5
threshold | f[2,3], 0.1, 20
glu | f[2,4] | f[4,3]', 0 | f[2,3,2], -1
abs | f[2,3] | f[2,3]' | g[5] | f[]
frac | f[2,3] | f[2]'
sgn sign floor ceil round trunc | f[2,3] | f[2]' | g[4]
isnan isinf isfinite logical_not | f[2,3] | f[2]'
eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor | f[2,3], f[3] | f[2], f[]' | i3[2,3], i3[2,3] | g[4], g[4]
eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar | f[2,3], 0 | i3[4]', 1 | f[], 0.5
logical_and logical_or logical_xor | b[2,3], b[3] | f[2], f[2]
bitwise_not | b[2,3] | i5[3]
bitwise_and.Scalar bitwise_or.Scalar bitwise_xor.Scalar | i5[2,3], 1 | b[3]', true
bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor | b[2,3], b[3] | i5[3], i5[] | b[2]', i5[2]
where.self | b[2,3], f[2,3], f[2,3] | b[3], f[2,1], f[] | b[2,3]', f[], f[3] | b[2], f[], f[] | b[2,1], f[1,3], f[2,3]
where.ScalarSelf | b[2,3], 1.5, f[3] | b[3], 0, f[2,3]
where.ScalarOther | b[2,3], f[3], 0 | b[2,3], f[2,3], -10
where.Scalar | b[2,3], 1.5, 0 | b[2], 1, 0 | b[2], 1, 2.5
masked_fill.Scalar | f[2,3], b[2,3], 0 | f[2,3]', b[3], -1e4 | f[3], b[2,3], 2.5 | f[], b[], 1
masked_fill.Tensor | f[2,3], b[2,3], f[] | f[2,3]', b[3], f[]
clamp | f[2,3], -0.5, 0.5 | f[2,3], none, 0.25 | f[3]', -0.25 | g[8], 0, 1 | f[3], -1, 1
clamp.Tensor | f[2,3], u[2,3], p[2,3] | f[2,3]', none, u[3] | f[2,3], u[], none | f[8], u[8], u[8]
clamp_max clamp_min | f[2,3], 0.25 | f[2,3]', 0 | g[8], 0 | g[8], 1
clamp_max.Tensor clamp_min.Tensor maximum minimum fmax fmin | f[2,3], f[2,3] | f[2,3]', f[3] | f[3], f[] | g[8], g[8]
max.other min.other | f[2,3], f[2,3] | f[2,3]', f[3] | g[8], g[8]
addcmul | f[2,3], f[2,3], f[3] | f[3], f[2,1]', f[3], 0.5
addcdiv | f[2,3], f[2,3], p[3] | f[3], f[2,1]', p[3], 0.5
lerp.Scalar | f[2,3], f[2,3], 0.25 | f[3], f[2,1]', 0.75
lerp.Tensor | f[2,3], f[2,3], p[] | f[3], f[2,1]', p[3]
atan2 hypot | p[2,3], f[2,3] | p[3]', f[2,1]
to.dtype | f[2,3], f32 | f[2,3]', bf16 | f[3], f64 | f[2,3], i64 | i3[2], f32 | b[3], i64 
to.dtype_layout | f[2,3], f32 | f[2,3]', none | f[2,3], f64 | i3[2], bf16
to.device | f[2,3], device, f32 | f[2,3]', device, f64
to.other | f[2,3], f[]:f32! | f[2,3]', f[2]:bf16! | f[2], f[2]!
type_as | f[2,3], f[]:f32! | f[2,3]', f[2]:bf16! | f[2], f[2]!
_to_copy | f[2,3], f32 | f[2,3]' | f[2], f64
clone | f[2,3] | f[2,3]'
contiguous | f[2,3] | f[2,3]' | f[3]'
alias lift_fresh detach | f[2,3] | f[2,3]'
dropout | f[2,3], 0.0, true | f[2,3]', 0.5, false
tanh_backward sigmoid_backward | f[2,3], u[2,3]
silu_backward | f[2,3], f[2,3]
mish_backward | f[2,3], f[2,3]
gelu_backward | f[2,3], f[2,3] | f[2,3], f[2,3]', "tanh"
threshold_backward | f[2,3], f[2,3], 0
hardtanh_backward | f[2,3], f[2,3], -1, 1
leaky_relu_backward | f[2,3], f[2,3], 0.1, false
elu_backward | f[2,3], 1, 1, 1, false, f[2,3]
softplus_backward | f[2,3], f[2,3], 1, 20
glu_backward | f[2,2], f[2,4], -1
)");
}
