// RUN: nxdt-opt %s --lower-to-spmd --split-input-file | FileCheck %s

#mesh = #nxdt.mesh<dp = 2, tp = 4>

// Buffers keep what they are as a whole.
// CHECK: nxdt.buffer @x {role = "scalar"} : tensor<8x64xf32, #_-_-partial-dp_tp>
nxdt.buffer @x {role = "scalar"} : tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [dp, tp]>>
nxdt.buffer @y {role = "scalar"} : tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>>

// One of two sums ends up split, the other does not.
// CHECK-LABEL: func @scatter_and_reduce
// CHECK-SAME: tensor<8x64xf32> {nxdt.buffer = @x}) -> (tensor<2x64xf32> {nxdt.buffer = @y})
// CHECK-NEXT: %[[S:.*]] = nxdt.reduce_scatter %{{.*}} {axes = [#nxdt.axis<tp:(1)4>], dim = 0 : i64, reason = "why", reduction = "sum"} : tensor<8x64xf32> -> tensor<2x64xf32>
// CHECK-NEXT: nxdt.all_reduce %[[S]] {axes = [#nxdt.axis<dp:(1)2>], reason = "why", reduction = "sum"} : tensor<2x64xf32> -> tensor<2x64xf32>
func.func @scatter_and_reduce(%x: tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [dp, tp]>> {nxdt.buffer = @x}) -> (tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @y}) {
  %0 = nxdt.reshard %x {reason = "why"} : tensor<8x64xf32, #nxdt.sharding<#mesh, [[], []], partial [dp, tp]>> -> tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>>
  return %0 : tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>>
}

// An axis leaves one dimension before it splits another; parts of an axis are gathered alone.
// CHECK-LABEL: func @moves
// CHECK: nxdt.all_gather %{{.*}} {axes = [#nxdt.axis<tp:(2)2>], dim = 0 : i64, {{.*}}} : tensor<2x64xf32> -> tensor<4x64xf32>
// CHECK: nxdt.all_slice %{{.*}} {axes = [#nxdt.axis<tp:(2)2>], dim = 1 : i64, {{.*}}} : tensor<4x64xf32> -> tensor<4x32xf32>
func.func @moves(%y: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @y}) -> (tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp:(1)2], [tp:(2)2]]>> {nxdt.buffer = @y}) {
  %0 = nxdt.reshard %y {reason = "why"} : tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], []]>> -> tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp:(1)2], [tp:(2)2]]>>
  return %0 : tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp:(1)2], [tp:(2)2]]>>
}

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>

// 10 rows on 4 ranks are parts of 3, the last with 2 rows of padding. What is gathered is shortened, a slice filled up;
// a sum must not see padding, which in a buffer is zero but after exp is not.
nxdt.buffer @w {role = "param"} : tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
nxdt.buffer @z {role = "scalar"} : tensor<10xf32, #nxdt.sharding<#mesh, [[]]>>
nxdt.buffer @s {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>>
// CHECK-LABEL: func @gathers_padded
// CHECK: %[[G:.*]] = nxdt.all_gather %{{.*}} : tensor<3xf32> -> tensor<12xf32>
// CHECK: nxdt.aten "aten::slice.Tensor"(%[[G]], 0, 0, 10, 1) : (tensor<12xf32>) -> tensor<10xf32>
func.func @gathers_padded(%w: tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @w}) -> (tensor<10xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @z}) {
  %0 = nxdt.reshard %w {reason = "why"} : tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<10xf32, #nxdt.sharding<#mesh, [[]]>>
  return %0 : tensor<10xf32, #nxdt.sharding<#mesh, [[]]>>
}
// CHECK-LABEL: func @slices_padded
// CHECK: %[[P:.*]] = nxdt.aten "aten::constant_pad_nd"(%{{.*}}, array<i64: 0, 2>, 0) : (tensor<10xf32>) -> tensor<12xf32>
// CHECK: nxdt.all_slice %[[P]] {{.*}} : tensor<12xf32> -> tensor<3xf32>
func.func @slices_padded(%z: tensor<10xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @z}) -> (tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @w}) {
  %0 = nxdt.reshard %z {reason = "why"} : tensor<10xf32, #nxdt.sharding<#mesh, [[]]>> -> tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
  return %0 : tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
}
// CHECK-LABEL: func @sums_padded
// CHECK-SAME: %[[C:[a-z0-9]*]]: tensor<i64> {nxdt.buffer = @coordinate.tp}
// CHECK: %[[E:.*]] = nxdt.aten "aten::exp"(%{{.*}}) : (tensor<3xf32>) -> tensor<3xf32>
// CHECK: nxdt.aten "aten::mul.Scalar"(%[[C]], 3)
// CHECK: nxdt.aten "aten::lt.Scalar"(%{{.*}}, 10)
// CHECK: %[[F:.*]] = nxdt.aten "aten::masked_fill.Scalar"(%[[E]], %{{.*}}, 0.000000e+00)
// CHECK: nxdt.aten "aten::sum"(%[[F]], none)
func.func @sums_padded(%w: tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @w}) -> (tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>> {nxdt.buffer = @s}) {
  %0 = nxdt.aten "aten::exp"(%w) : (tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
  %1 = nxdt.aten "aten::sum"(%0, none) : (tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>>
  return %1 : tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>>
}

// -----

// Parts of a part: 10 rows on tp = 2 are 5 each, those on dp = 4 two each: rank (1, 3) holds padding only, and what is
// written to a buffer is zero there. Gathering dp gives 8 rows, of which 5 count.
#mesh = #nxdt.mesh<dp = 4, tp = 2>
nxdt.buffer @m {role = "param"} : tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>>
nxdt.buffer @p {role = "param"} : tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
// CHECK-LABEL: func @nested
// CHECK-SAME: tensor<2xf32> {nxdt.buffer = @m}
// CHECK: %[[E:.*]] = nxdt.aten "aten::exp"(%{{.*}}) : (tensor<2xf32>) -> tensor<2xf32>
// CHECK: %[[G:.*]] = nxdt.all_gather %[[E]] {axes = [#nxdt.axis<dp:(1)4>], {{.*}}} : tensor<2xf32> -> tensor<8xf32>
// CHECK: nxdt.aten "aten::slice.Tensor"(%[[G]], 0, 0, 5, 1)
// CHECK: nxdt.aten "aten::lt.Scalar"(%{{.*}}, 5)
// CHECK: nxdt.aten "aten::masked_fill.Scalar"(%[[E]], %{{.*}}, 0.000000e+00)
func.func @nested(%m: tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>> {nxdt.buffer = @m}) -> (tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>> {nxdt.buffer = @m}, tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @p}) {
  %0 = nxdt.aten "aten::exp"(%m) : (tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>>) -> tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>>
  %1 = nxdt.reshard %0 {reason = "why"} : tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>> -> tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
  return %0, %1 : tensor<10xf32, #nxdt.sharding<#mesh, [[tp, dp]]>>, tensor<10xf32, #nxdt.sharding<#mesh, [[tp]]>>
}

// -----

// Tokens whose row lies on another rank count as zero here.
#mesh = #nxdt.mesh<tp = 4>
nxdt.buffer @t {role = "param"} : tensor<12x8xf32, #nxdt.sharding<#mesh, [[tp], []]>>
nxdt.buffer @ids {role = "input"} : tensor<1x4xi64, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @e {role = "scalar"} : tensor<1x4x8xf32, #nxdt.sharding<#mesh, [[], [], []], partial [tp]>>
// CHECK-LABEL: func @embedding
// CHECK: %[[O:.*]] = nxdt.aten "aten::mul.Scalar"(%{{.*}}, 3)
// CHECK: %[[I:.*]] = nxdt.aten "aten::sub.Tensor"(%{{.*}}, %[[O]], 1)
// CHECK: %[[L:.*]] = nxdt.aten "aten::masked_fill.Scalar"(%[[I]], %[[M:.*]], 0)
// CHECK: %[[E:.*]] = nxdt.aten "aten::embedding"(%{{.*}}, %[[L]], -1, false, false) : (tensor<3x8xf32>, tensor<1x4xi64>) -> tensor<1x4x8xf32>
// CHECK: nxdt.aten "aten::masked_fill.Scalar"(%[[E]], %{{.*}}, 0.000000e+00)
func.func @embedding(%t: tensor<12x8xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @t}, %ids: tensor<1x4xi64, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @ids}) -> (tensor<1x4x8xf32, #nxdt.sharding<#mesh, [[], [], []], partial [tp]>> {nxdt.buffer = @e}) {
  %0 = nxdt.aten "aten::embedding"(%t, %ids, -1, false, false) : (tensor<12x8xf32, #nxdt.sharding<#mesh, [[tp], []]>>, tensor<1x4xi64, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<1x4x8xf32, #nxdt.sharding<#mesh, [[], [], []], partial [tp]>>
  return %0 : tensor<1x4x8xf32, #nxdt.sharding<#mesh, [[], [], []], partial [tp]>>
}
