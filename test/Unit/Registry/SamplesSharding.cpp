//===- SamplesSharding.cpp - calls whose dims can be split -----------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The other tables' dims are 2, 3 and 5 long: parts of them have one element.
// These are 4 and 6, so that parts have several, and stand in further ways to
// what an operator does along them.
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

static const char *const kPointwise = R"(
add.Tensor sub.Tensor rsub.Tensor | f[4,6], f[4,6], 0.5 | f[4,1,6], f[2,6], 3 | f[6], f[4,1]
mul.Tensor div.Tensor | f[4,6], p[4,6] | f[4,1,6], p[2,6] | f[6], p[4,1]
add.Scalar sub.Scalar rsub.Scalar | f[4,6], 2, 3
mul.Scalar div.Scalar | f[4,6], 2.5
div.Tensor_mode | f[4,6], p[6], none | f[4,1], p[6], "floor"
div.Scalar_mode | f[4,6], 2, none | f[4,6], 0.5, "trunc"
remainder.Tensor fmod.Tensor | f[4,1], p[6]
remainder.Scalar fmod.Scalar pow.Tensor_Scalar | p[4,6], 0.5
pow.Scalar | 2, f[4,6]
pow.Tensor_Tensor | p[4,1], f[6]
square neg positive exp exp2 expm1 sin cos tanh sigmoid erf sinh cosh atan silu mish asinh log_sigmoid gelu relu relu6 elu leaky_relu hardtanh softplus abs frac sgn sign floor ceil round trunc isnan isinf isfinite logical_not clone contiguous alias lift_fresh detach | f[4,6]
tan asin acos atanh log1p | u[4,6]
log log2 log10 sqrt rsqrt reciprocal | p[4,6]
threshold | f[4,6], 0.1, 20
glu | f[4,4,6], 1
eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor | g[4,1], g[6]
eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar | g[4,6], 0
logical_and logical_or logical_xor | b[4,1], b[6]
bitwise_not | b[4,6]
bitwise_and.Scalar bitwise_or.Scalar bitwise_xor.Scalar | i5[4,6], 1
bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor | i5[4,1], i5[6]
where.self | b[4,6], f[4,1], f[6] | b[6], f[4,6], f[4,6]
where.ScalarSelf | b[4,1], 0, f[6] | b[4,6], 1.5, f[4,6]
where.ScalarOther | b[4,1], f[6], 0 | b[4,6], f[4,6], 1.5
where.Scalar | b[4,6], 1.5, 0
masked_fill.Scalar | f[4,6], b[4,1], 0 | f[4,6], b[6], 2.5
masked_fill.Tensor | f[4,6], b[4,1], f[]
clamp | f[4,6], -0.5, 0.5
clamp.Tensor | f[4,6], u[4,1], p[6] | f[4,6], none, p[6]
clamp_max clamp_min | f[4,6], 0.25
clamp_max.Tensor clamp_min.Tensor maximum minimum fmax fmin max.other min.other | f[4,1], f[6] | g[4,6], g[4,6]
addcmul addcdiv | f[4,6], f[4,1], p[6], 0.5
lerp.Scalar | f[4,6], f[4,1], 0.25
lerp.Tensor | f[4,6], f[6], p[4,1]
atan2 hypot | p[4,1], f[6]
to.dtype to.dtype_layout _to_copy | f[4,6], f32 | f[4,6], i64 | i5[4,6], f64
to.device | f[4,6], device, f64
to.other type_as | f[4,6], f[4]:f32 | f[4,6], f[2,2,4]
dropout | f[4,6], 0.5, false
tanh_backward sigmoid_backward | f[4,6], u[4,6]
silu_backward mish_backward gelu_backward | f[4,6], f[4,6]
threshold_backward | f[4,6], f[4,6], 0
hardtanh_backward | f[4,6], f[4,6], -1, 1
leaky_relu_backward | f[4,6], f[4,6], 0.1, false
elu_backward | f[4,6], 1, 1, 1, false, f[4,6]
softplus_backward | f[4,6], f[4,6], 1, 20
glu_backward | f[4,2,6], f[4,4,6], 1
)";

static const char *const kShapes = R"(
view reshape _unsafe_view | f[4,6], (24) | f[24], (4,-1) | f[4,6], (2,2,6) | f[4,2,6], (4,12) | f[4,6], (6,4) | f[8,4], (2,16) | f[4,3,4], (-1,2,4)
view_as reshape_as | f[4,6], f[2,2,6] | f[4,6], f[24]
expand_as | f[4,1], f[4,6] | f[6], f[4,6]
expand broadcast_to | f[4,1], (4,6) | f[6], (4,6) | f[4,1], (2,-1,6)
flatten.using_ints | f[4,2,6] | f[4,2,6], 1
unflatten.int | f[4,6], 0, (2,2) | f[24], 0, (4,-1) | f[4,12], -1, (2,6)
ravel | f[4,6]
squeeze | f[4,1,6]
squeeze.dim | f[4,1,6], 1 | f[4,1,6], 0
squeeze.dims | f[4,1,6], (0,1)
unsqueeze | f[4,6], 1
transpose.int swapaxes swapdims | f[4,2,6], -1, 0
t | f[4,6]
numpy_T mT | f[4,6]
permute | f[4,2,6], (2,0,1)
movedim.int moveaxis.int | f[4,2,6], 0, 2
movedim.intlist moveaxis.intlist | f[4,2,6], (0,1), (2,0)
slice.Tensor | f[4,6], 1, 1, 3 | f[4,6], 0, 0, 4 | f[4,6], 0, -4, 9223372036854775807 | f[4,6], 1, none, none, 2
narrow | f[4,6], 1, 1, 3 | f[4,6], 0, 0, 4 | f[4,6], 0, -4, 4
select.int | f[4,6], 1, 2
split.Tensor | f[4,6], 4, 1
split_with_sizes split.sizes | f[4,6], (2,4), 1
chunk tensor_split.sections | f[4,6], 3, 1
unbind.int | f[4,6], 1
unfold | f[4,6], 1, 4, 2
diagonal | f[4,6,6], 0, 1, 2 | f[6,4,2], 1, 2, 0
slice_scatter | f[4,6], f[4,2], 1, 1, 3
select_scatter | f[4,6], f[4], 1, 2
diagonal_scatter | f[4,6,6], f[4,6], 0, 1, 2
cat concat | [f[4,6], f[4,2]], 1 | [f[4], f[2]]
stack | [f[4,6], f[4,6]], 1
repeat | f[4,6], (1,2) | f[6], (4,1) | f[4,1,6], (2,1,4,1) | f[4], (4) | f[2,6], (2,1)
tile | f[4,6], (2) | f[4,1], (4,1)
repeat_interleave.self_int | f[4,6], 4, 0 | f[4,6], 2, 1 | f[4,2], 4
roll | f[4,6], 1, 1
flip | f[4,6], (1) | f[4,6], ()
triu tril | f[4,3,3], 1
constant_pad_nd | f[4,6], (1,2) | f[4,6], (0,0,1,0) | f[4,6], (1,0), 2.5
slice_backward | f[4,2], (4,6), 1, 1, 3, 1 | f[4,6], (4,6), 1, 0, 6, 1
select_backward | f[4], (4,6), 1, 2
value_selecting_reduction_backward | f[4], 1, i6[4], (4,6), false | f[1,6], 0, i4[1,6], (4,6), true
diagonal_backward | f[4,6], (4,6,6), 0, 1, 2
unfold_backward | f[4,2,4], (4,6), 1, 4, 2
zeros ones empty.memory_format | (4,6)
full | (4,6), 1.5
zeros_like ones_like empty_like | f[4,6]
full_like | f[4,6], 2
new_zeros new_ones new_empty | f[4,6], (6,4)
new_full | f[4,6], (6,4), 1.5
)";

static const char *const kReductions = R"(
sum | f[4,6] | b[4,6]
mean | f[4,6]
sum.dim_IntList mean.dim | f[4,6], (1) | f[4,6], (0), true | f[4,2,6], (0,2) | f[4,6], none
amax amin | f[4,6], (1) | f[4,6], (0), true | g[4,6]
max min | f[4,6] | g[4,6]
max.dim min.dim | f[4,6], 1 | f[4,6], 0, true
argmax argmin | f[4,6], 1
any.dim all.dim | b[4,6], 1
any all | b[4,6]
sort argsort | f[4,6], 1
topk | f[4,6], 2, 1
cumsum | f[4,6], 1
var.dim std.dim var.correction std.correction var_mean.correction std_mean.correction | f[4,6], (1)
linalg_vector_norm | f[4,6], 1, (1) | f[4,6], 2, (1) | f[4,6], inf, (0), true | g[4,6], 0 | f[4,6], -inf, (0)
norm.Scalar | f[4,6], 1 | f[4,6], 3
norm.ScalarOpt_dim | f[4,6], 1, (1) | f[4,6], none, (0), true
logsumexp | f[4,6], (1)
softmax.int log_softmax.int | f[4,6], 1 | f[4,6], 0
_softmax _log_softmax | f[4,6], 1, false
_softmax_backward_data _log_softmax_backward_data | f[4,6]:f64, p[4,6]:f64, 1, f64
layer_norm | f[4,2,6], (6), f[6], f[6] | f[4,2,6], (2,6), none, f[2,6]
rms_norm | f[4,2,6], (6), f[6]
group_norm | f[4,8,3], 4, f[8], f[8]
nll_loss_forward | f[4,6], i6[4], none, 2, -100 | f[4,6], i6[4], p[6], 2, -100 | f[4,6], i6[4], none, 1, -100
nll_loss_backward | f[], f[4,6], i6[4], none, 2, -100, f[] | f[4], f[4,6], i6[4], p[6], 0, -100, f[] | f[], f[4,6], i6[4], none, 1, -100, p[]
)";

static const char *const kProducts = R"(
linear | f[4,2,6], f[4,6] | f[4,6], f[4,6], f[4] | f[6], f[4,6]
matmul | f[4,6], f[6,4] | f[4,6], f[6] | f[6], f[6,4] | f[6], f[6] | f[4,1,2,6], f[4,6,2] | f[6], f[4,6,2] | f[4,2,6], f[6] | f[2,6], f[4,6,2]
mm | f[4,6], f[6,4]
bmm | f[4,2,6], f[4,6,2]
mv | f[4,6], f[6]
dot vdot | f[6], f[6]
outer | f[4], f[6]
addmm | f[4,6], f[4,2], f[2,6], 0.5, 2 | f[6], f[4,2], f[2,6] | f[4,1], f[4,6], f[6,2]
addmv | f[4], f[4,6], f[6], 0.5, 2
baddbmm | f[4,2,4], f[4,2,6], f[4,6,4], 0.5, 2
)";

static const char *const kIndexing = R"(
embedding | f[4,6], i4[4,2] | f[6,4], i6[6]
embedding_dense_backward | f[4,2,6], i4[4,2], 4, -1, false | f[4,6], s4[4], 4, 1, false | f[6,4], i4[6], 4, -1, true
gather | f[4,6], 1, i6[4,4] | f[4,6], 1, i6[2,4] | f[6,4], 0, i6[4,4]
index_select | f[4,6], 1, i6[4]
index.Tensor | f[4,6], [none, i6[4]] | f[4,6,2], [i4[4], none, i2[4]] | f[6,4], [i6[4,1], i4[6]] | f[4,6,2], [none, i6[4,1], i2[2]]
index_put | f[4,6], [none, s6[2]], f[4,2] | f[4,6], [none, i6[4]], f[], true | f[4,6], [i4[6]], f[6], true
scatter.src scatter_add | f[4,6], 1, s6[1,4], f[1,4] | f[4,6], 1, s6[4,1], f[4,1]
scatter.value | f[4,6], 1, i6[4,2], 1.5 | f[4,6], 1, i6[4,2], 0
index_add | f[4,6], 1, i6[4], f[4,4], 0.5
index_fill.int_Scalar | f[4,6], 1, s6[2], 0 | f[4,6], 1, s6[2], 1.5
one_hot | i5[4,6], 5
)";

const nxdt::test::SampleTable &nxdt::test::shardingSampleTable() {
  static const SampleTable table = [] {
    SampleTable t;
    for (const char *rows :
         {kPointwise, kShapes, kReductions, kProducts, kIndexing})
      addSampleRows(t, rows);
    return t;
  }();
  return table;
}
