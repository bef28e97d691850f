// RUN: nxdt-opt %s --fuse-attention --split-input-file | FileCheck %s

// GQA with 2 query heads a key head, causal by triu, scale by mul: the keys go
// in un-repeated and nothing of the written-out form is left.
// CHECK-LABEL: func @forward
// CHECK-SAME: (%[[Q:.*]]: tensor<1x4x8x2xf32>, %[[K:.*]]: tensor<1x2x8x2xf32>, %[[V:.*]]: tensor<1x2x8x2xf32>)
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 5.000000e-01 : f64}
// CHECK-NEXT: return %[[O]]
func.func @forward(%q: tensor<1x4x8x2xf32>, %k: tensor<1x2x8x2xf32>, %v: tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %k1 = nxdt.aten "aten::unsqueeze"(%k, 2) : (tensor<1x2x8x2xf32>) -> tensor<1x2x1x8x2xf32>
  %k2 = nxdt.aten "aten::expand"(%k1, array<i64: 1, 2, 2, 8, 2>, false) : (tensor<1x2x1x8x2xf32>) -> tensor<1x2x2x8x2xf32>
  %k3 = nxdt.aten "aten::reshape"(%k2, array<i64: 1, 4, 8, 2>) : (tensor<1x2x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %v1 = nxdt.aten "aten::unsqueeze"(%v, 2) : (tensor<1x2x8x2xf32>) -> tensor<1x2x1x8x2xf32>
  %v2 = nxdt.aten "aten::expand"(%v1, array<i64: 1, 2, 2, 8, 2>, false) : (tensor<1x2x1x8x2xf32>) -> tensor<1x2x2x8x2xf32>
  %v3 = nxdt.aten "aten::reshape"(%v2, array<i64: 1, 4, 8, 2>) : (tensor<1x2x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::transpose.int"(%k3, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ss = nxdt.aten "aten::mul.Scalar"(%s, 0.5) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %mask = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %m = nxdt.aten "aten::masked_fill.Scalar"(%ss, %mask, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%m, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v3) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// No mask at all is attention to everything.
// CHECK-LABEL: func @forward
// CHECK: nxdt.sdpa {{.*}} {causal = false, scale = 1.000000e+00 : f64}
func.func @forward(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%s, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}
