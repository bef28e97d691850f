//===- SamplesShapes.cpp - views, permutations, parts and factories -*- C++
//-*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Sample.h"

void nxdt::test::addShapeSamples(SampleTable &table) {
  addSampleRows(table, R"(
view | f[2,3], (6) | f[2,3], (3,-1) | f[2,3,2], (-1,2) | f[], (1,1) | f[4,3]', (4,1,3)
reshape | f[2,3], (6) | f[2,3]', (3,-1) | f[2,3], (1,2,3) | f[0,3], (3,0)
_unsafe_view | f[2,3], (6) | f[2,3], (3,-1)
view_as reshape_as | f[2,3], f[3,2]! | f[4], f[2,2]!
expand_as | f[3], f[2,3]! | f[2,1]', f[2,3]!
expand | f[3], (2,3) | f[2,1]', (-1,3) | f[], (2,2) | f[1,3], (4,-1,-1), false | f[2,3], (2,3)
broadcast_to | f[3], (2,3) | f[2,1]', (2,3) | f[], (2)
flatten.using_ints | f[2,3] | f[2,3,2], 1 | f[2,3,2], 0, 1 | f[2,3]', -2, -1 | f[] | f[2,3,2], 1, 1
unflatten.int | f[6], 0, (2,3) | f[2,6], -1, (3,-1) | f[4,2]', 0, (2,2)
ravel | f[2,3] | f[2,3]'
squeeze | f[1,3,1] | f[2,1]' | f[2,3] | f[]
squeeze.dim | f[2,1,3], 1 | f[2,1,3], 0 | f[2,1]', -1 | f[], 0
squeeze.dims | f[1,2,1], (0,2) | f[1,2,1], (-1) | f[2,1]', (0,1)
unsqueeze | f[2,3], 0 | f[2,3]', -1 | f[2,3], -3 | f[], 0 | f[3], 1
transpose.int swapaxes swapdims | f[2,3], 0, 1 | f[2,3,2]', -1, 0 | f[3], 0, -1 | f[], 0, -1
t | f[2,3] | f[2,3]' | f[3] | f[]
numpy_T | f[2,3] | f[2,3]' | f[3] | f[2,3,4]
mT | f[2,3] | f[2,3,4]'
permute | f[2,3,4], (2,0,1) | f[2,3]', (-1,0) | f[], ()
movedim.int moveaxis.int | f[2,3,4], 0, 2 | f[2,3,4]', -1, 0 | f[3], 0, 0 | f[2,3,4], 2, 1
movedim.intlist moveaxis.intlist | f[2,3,4], (0,1), (2,0) | f[2,3,4]', (-1), (0)
slice.Tensor | f[5,2], 0, 1, 3 | f[2,5]', -1, -3, -1 | f[5], 0, none, none, 2 | f[5,2], 0, 1, 9223372036854775807, 2 | f[5], 0, -100, 2 | f[5], 0, 4, 2 | f[5,2], 0, -4, none, 3
narrow | f[5,2], 0, 1, 3 | f[2,5]', -1, -3, 2 | f[5], 0, 5, 0
select.int | f[5,2], 0, 1 | f[2,5]', -1, -1 | f[3], 0, 2
split.Tensor | f[5,2], 2 | f[2,4]', 2, -1 | f[3], 3 | f[4], 1
split_with_sizes split.sizes | f[5,2], (2,3) | f[2,4]', (1,2,1), -1
chunk | f[5,2], 2 | f[2,6]', 3, -1 | f[3], 5
tensor_split.sections | f[5,2], 2 | f[2,6]', 3, -1
unbind.int | f[3,2] | f[2,3]', -1
unfold | f[5], 0, 2, 1 | f[2,5]', -1, 3, 2 | f[6,2], 0, 2, 2
diagonal | f[3,3] | f[2,4]', 1 | f[2,3,3], -1, 1, 2 | f[3,2,3], 0, 0, -1
slice_scatter | f[5,2], f[2,2], 0, 1, 3 | f[2,5]', f[2,3], -1, none, none, 2 | f[4], f[4]
select_scatter | f[5,2], f[2], 0, 1 | f[2,5]', f[2]', -1, -2
diagonal_scatter | f[3,3], f[3] | f[2,4]', f[2], 1
cat | [f[2,3], f[1,3]], 0 | [f[2,3]', f[2,1], f[2,2]], -1 | [f[3]] | [f[2], f[0], f[3]]
concat | [f[2,3], f[1,3]], 0 | [f[2,3]', f[2,1]], -1
stack | [f[2,3], f[2,3]] | [f[2]', f[2], f[2]], -1 | [f[], f[]]
repeat | f[2,3], (2,1) | f[3]', (2,2) | f[], (3) | f[2,3], (1,1) | f[2,1,3], (2,3,1)
repeat_interleave.self_int | f[2,3], 2, 1 | f[2,3]', 3, 0 | f[2,3], 2 | f[3], 2, -1
tile | f[2,3], (2) | f[3]', (2,2)
roll | f[2,3], (1), (1) | f[2,3]', (2,-1), (0,1) | f[5], 2
flip | f[2,3], (0) | f[2,3]', (0,-1)
triu tril | f[3,3] | f[2,3,4]', 1 | f[3,2], -1
constant_pad_nd | f[2,3], (1,2) | f[2,3]', (1,0,0,2), 1.5 | f[3], (-1,1)
slice_backward | f[2,3], (5,3), 0, 1, 3, 1
select_backward | f[3], (5,3), 0, 1
value_selecting_reduction_backward | f[2], 1, i3[2], (2,3), false | f[1,3], 0, i2[1,3], (2,3), true
diagonal_backward | f[3], (3,3), 0, 0, 1
unfold_backward | f[4,2], (5), 0, 2, 1
zeros ones | (2,3) | (2), bf16 | (), i64 | (0,2), f64
empty.memory_format | (2,3) | (2), bf16
full | (2,3), 1.5 | (2), 3 | (), true | (2), 1, f32
scalar_tensor | 1.5 | 2, i64 | true | 3
arange | 5 | 5.0 | 2.5 | 5, f32
arange.start | 1, 5 | 1, 4.5 | 2, 7, f64
arange.start_step | 0, 10, 3 | 5, 0, -2 | 0, 1, 0.25 | 0, 8, 2, f32
linspace | 0, 1, 5 | 1.5, 2, 3, bf16
eye | 3 | 2, bf16
eye.m | 3, 2 | 2, 4, i64
zeros_like ones_like empty_like | f[2,3] | f[2,3]', bf16 | i3[2]
full_like | f[2,3], 2 | f[2,3]', 1.5, bf16 | i3[2], 2
new_zeros new_ones new_empty | f[2,3], (4) | i3[2], (), f32
new_full | f[2,3], (4), 1.5 | i3[2], (), 2, f32
)");
}
