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

// -----

// Columns behind the row, by comparing indices.
// CHECK-LABEL: func @by_index
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @by_index(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %i = nxdt.aten "aten::arange"(8, none, none, device, none) : () -> tensor<8xi64>
  %rows = nxdt.aten "aten::unsqueeze"(%i, -1) : (tensor<8xi64>) -> tensor<8x1xi64>
  %cols = nxdt.aten "aten::view"(%i, array<i64: 1, 8>) : (tensor<8xi64>) -> tensor<1x8xi64>
  %m = nxdt.aten "aten::gt.Tensor"(%cols, %rows) : (tensor<1x8xi64>, tensor<8x1xi64>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// What `tril` keeps, negated; the mask has all dimensions, by `expand`.
// CHECK-LABEL: func @by_tril
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @by_tril(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %keep = nxdt.aten "aten::tril"(%ones, 0) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %not = nxdt.aten "aten::logical_not"(%keep) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %m4 = nxdt.aten "aten::view"(%not, array<i64: 1, 1, 8, 8>) : (tensor<8x8xi1>) -> tensor<1x1x8x8xi1>
  %m = nxdt.aten "aten::expand"(%m4, array<i64: 1, 4, 8, 8>, false) : (tensor<1x1x8x8xi1>) -> tensor<1x4x8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xi1>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// `where` with the scores first, and a cut-out of a larger mask, as a model with
// a longest sequence keeps it.
// CHECK-LABEL: func @by_where
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @by_where(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %big = nxdt.aten "aten::ones"(array<i64: 16, 16>, f32, none, device, none) : () -> tensor<16x16xf32>
  %low = nxdt.aten "aten::tril"(%big, 0) : (tensor<16x16xf32>) -> tensor<16x16xf32>
  %part = nxdt.aten "aten::slice.Tensor"(%low, 0, 8, 16, 1) : (tensor<16x16xf32>) -> tensor<8x16xf32>
  %cut = nxdt.aten "aten::slice.Tensor"(%part, 1, -8, 9223372036854775807, 1) : (tensor<8x16xf32>) -> tensor<8x8xf32>
  %m = nxdt.aten "aten::ne.Scalar"(%cut, 0) : (tensor<8x8xf32>) -> tensor<8x8xi1>
  %min = nxdt.aten "aten::full"(array<i64>, -3.4028234663852886e+38, f32, none, device, none) : () -> tensor<f32>
  %s1 = nxdt.aten "aten::where.self"(%m, %s0, %min) : (tensor<8x8xi1>, tensor<1x4x8x8xf32>, tensor<f32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// An added mask: full, triu, and times a comparison, as transformers builds it.
// CHECK-LABEL: func @by_add
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @by_add(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %full = nxdt.aten "aten::full"(array<i64: 8, 8>, -3.4028234663852886e+38, f32, none, device, none) : () -> tensor<8x8xf32>
  %up = nxdt.aten "aten::triu"(%full, 1) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %i = nxdt.aten "aten::arange"(8, none, none, device, none) : () -> tensor<8xi64>
  %rows = nxdt.aten "aten::reshape"(%i, array<i64: 8, 1>) : (tensor<8xi64>) -> tensor<8x1xi64>
  %later = nxdt.aten "aten::gt.Tensor"(%i, %rows) : (tensor<8xi64>, tensor<8x1xi64>) -> tensor<8x8xi1>
  %m2 = nxdt.aten "aten::mul.Tensor"(%up, %later) : (tensor<8x8xf32>, tensor<8x8xi1>) -> tensor<8x8xf32>
  %m = nxdt.aten "aten::unsqueeze"(%m2, 0) : (tensor<8x8xf32>) -> tensor<1x8x8xf32>
  %s1 = nxdt.aten "aten::add.Tensor"(%s0, %m, 1) : (tensor<1x4x8x8xf32>, tensor<1x8x8xf32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// The transposed mask of the past, and two masks of which one masks nothing.
// CHECK-LABEL: func @by_transposition
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @by_transposition(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %past = nxdt.aten "aten::tril"(%ones, -1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %m = nxdt.aten "aten::t"(%past) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %nothing = nxdt.aten "aten::zeros"(array<i64: 1, 1, 1, 8>, f32, none, device, none) : () -> tensor<1x1x1x8xf32>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %s2 = nxdt.aten "aten::add.Tensor"(%s1, %nothing, 1) : (tensor<1x4x8x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s2, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A weak mask becomes strong enough by the scale behind it: 8 * -2000.
// CHECK-LABEL: func @scaled_mask
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 8.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @scaled_mask(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, -2000.0) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %s2 = nxdt.aten "aten::mul.Scalar"(%s1, 8) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s2, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A mask of zeros masks nothing.
// CHECK-LABEL: func @masks_nothing
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = false, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @masks_nothing(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %m = nxdt.aten "aten::zeros"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Scales in front of and behind the product are one: 0.5 * 0.25 / 2 * 4 = 0.25.
// CHECK-LABEL: func @scales
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 2.500000e-01 : f64}
// CHECK-NEXT: return %[[O]]
func.func @scales(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %four = nxdt.aten "aten::scalar_tensor"(4.0, f32, none, device, none) : () -> tensor<f32>
  %q1 = nxdt.aten "aten::mul.Scalar"(%q, 0.5) : (tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  %k1 = nxdt.aten "aten::mul.Scalar"(%k, 0.25) : (tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::transpose.int"(%k1, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q1, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::div.Scalar"(%s0, 2) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %s2 = nxdt.aten "aten::masked_fill.Scalar"(%s1, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %s3 = nxdt.aten "aten::mul.Tensor"(%s2, %four) : (tensor<1x4x8x8xf32>, tensor<f32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s3, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// bf16 with the softmax in f32, and dropout that drops nothing.
// CHECK-LABEL: func @bf16
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = true, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @bf16(%q: tensor<1x4x8x2xbf16>, %k: tensor<1x4x8x2xbf16>, %v: tensor<1x4x8x2xbf16>) -> tensor<1x4x8x2xbf16> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xbf16>) -> tensor<1x4x2x8xbf16>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xbf16>, tensor<1x4x2x8xbf16>) -> tensor<1x4x8x8xbf16>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xbf16>, tensor<8x8xi1>) -> tensor<1x4x8x8xbf16>
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xbf16>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::to.dtype"(%p0, bf16, false, false, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xbf16>
  %p1 = nxdt.aten "aten::dropout"(%p, 0.0, true) : (tensor<1x4x8x8xbf16>) -> tensor<1x4x8x8xbf16>
  %o = nxdt.aten "aten::matmul"(%p1, %v) : (tensor<1x4x8x8xbf16>, tensor<1x4x8x2xbf16>) -> tensor<1x4x8x2xbf16>
  return %o : tensor<1x4x8x2xbf16>
}

// -----

// Heads repeated in natural order.
// CHECK-LABEL: func @interleaved
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = false, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @interleaved(%q: tensor<1x4x8x2xf32>, %k: tensor<1x2x8x2xf32>, %v: tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kr = nxdt.aten "aten::repeat_interleave.self_int"(%k, 2, 1, none) : (tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %vr = nxdt.aten "aten::repeat_interleave.self_int"(%v, 2, 1, none) : (tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::permute"(%kr, array<i64: 0, 1, 3, 2>) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%s, 3, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %vr) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// One head for all.
// CHECK-LABEL: func @one_head
// CHECK-SAME: %[[Q:[^:]*]]: tensor<{{[^>]*}}>, %[[K:[^:]*]]: tensor<{{[^>]*}}>, %[[V:[^:]*]]: tensor<
// CHECK-NEXT: %[[O:.*]], %{{.*}} = nxdt.sdpa %[[Q]], %[[K]], %[[V]] {causal = false, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[O]]
func.func @one_head(%q: tensor<1x4x8x2xf32>, %k: tensor<1x1x8x2xf32>, %v: tensor<1x1x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kr = nxdt.aten "aten::expand"(%k, array<i64: -1, 4, -1, -1>, false) : (tensor<1x1x8x2xf32>) -> tensor<1x4x8x2xf32>
  %vr = nxdt.aten "aten::expand"(%v, array<i64: -1, 4, -1, -1>, false) : (tensor<1x1x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::permute"(%kr, array<i64: 0, 1, 3, 2>) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%s, 3, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %vr) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Heads in another order (query head h reads key head h % 2): they are fused as
// they are, repeated.
// CHECK-LABEL: func @tiled
// CHECK: %[[K:.*]] = nxdt.aten "aten::reshape"
// CHECK: %[[V:.*]] = nxdt.aten "aten::reshape"
// CHECK: nxdt.sdpa %{{.*}}, %[[K]], %[[V]] {causal = false
func.func @tiled(%q: tensor<1x4x8x2xf32>, %k: tensor<1x2x8x2xf32>, %v: tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %k1 = nxdt.aten "aten::unsqueeze"(%k, 1) : (tensor<1x2x8x2xf32>) -> tensor<1x1x2x8x2xf32>
  %k2 = nxdt.aten "aten::expand"(%k1, array<i64: 1, 2, 2, 8, 2>, false) : (tensor<1x1x2x8x2xf32>) -> tensor<1x2x2x8x2xf32>
  %kr = nxdt.aten "aten::reshape"(%k2, array<i64: 1, 4, 8, 2>) : (tensor<1x2x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %v1 = nxdt.aten "aten::unsqueeze"(%v, 1) : (tensor<1x2x8x2xf32>) -> tensor<1x1x2x8x2xf32>
  %v2 = nxdt.aten "aten::expand"(%v1, array<i64: 1, 2, 2, 8, 2>, false) : (tensor<1x1x2x8x2xf32>) -> tensor<1x2x2x8x2xf32>
  %vr = nxdt.aten "aten::reshape"(%v2, array<i64: 1, 4, 8, 2>) : (tensor<1x2x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::permute"(%kr, array<i64: 0, 1, 3, 2>) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%s, 3, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %vr) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Keys and values repeated differently stay repeated.
// CHECK-LABEL: func @mixed
// CHECK: %[[K:.*]] = nxdt.aten "aten::reshape"
// CHECK: %[[V:.*]] = nxdt.aten "aten::repeat_interleave.self_int"
// CHECK: nxdt.sdpa %{{.*}}, %[[K]], %[[V]] {causal = false
func.func @mixed(%q: tensor<1x4x8x2xf32>, %k: tensor<1x2x8x2xf32>, %v: tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %k1 = nxdt.aten "aten::unsqueeze"(%k, 1) : (tensor<1x2x8x2xf32>) -> tensor<1x1x2x8x2xf32>
  %k2 = nxdt.aten "aten::expand"(%k1, array<i64: 1, 2, 2, 8, 2>, false) : (tensor<1x1x2x8x2xf32>) -> tensor<1x2x2x8x2xf32>
  %kr = nxdt.aten "aten::reshape"(%k2, array<i64: 1, 4, 8, 2>) : (tensor<1x2x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %vr = nxdt.aten "aten::repeat_interleave.self_int"(%v, 2, 1, none) : (tensor<1x2x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::permute"(%kr, array<i64: 0, 1, 3, 2>) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::softmax.int"(%s, 3, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %vr) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Other softmaxes are none of this pass's business: no remark, no change.
// CHECK-LABEL: func @router
// CHECK: aten::softmax.int
func.func @router(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = nxdt.aten "aten::softmax.int"(%x, -1, none) : (tensor<8x4xf32>) -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}
