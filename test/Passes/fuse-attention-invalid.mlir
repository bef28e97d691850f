// RUN: nxdt-opt %s --fuse-attention --split-input-file --verify-diagnostics | FileCheck %s

// Each near-match stays written out, with a remark why.

// The diagonal itself is masked: not causal attention.
// CHECK-LABEL: func @shifted
// CHECK-NOT: nxdt.sdpa
func.func @shifted(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %mask = nxdt.aten "aten::triu"(%ones, 0) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %m = nxdt.aten "aten::masked_fill.Scalar"(%s, %mask, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask masks row 0, column 0, which a causal mask keeps}}
  %p = nxdt.aten "aten::softmax.int"(%m, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A mask that is data.
// CHECK-LABEL: func @data
// CHECK-NOT: nxdt.sdpa
func.func @data(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>, %mask: tensor<8x8xi1>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %m = nxdt.aten "aten::masked_fill.Scalar"(%s, %mask, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask depends on argument 3}}
  %p = nxdt.aten "aten::softmax.int"(%m, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// The probabilities are read elsewhere.
// CHECK-LABEL: func @read_elsewhere
// CHECK-NOT: nxdt.sdpa
func.func @read_elsewhere(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> (tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>) {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its probabilities are used elsewhere too}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o, %p : tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>
}

// -----

// A window of four columns.
// CHECK-LABEL: func @window
// CHECK-NOT: nxdt.sdpa
func.func @window(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %future = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %past = nxdt.aten "aten::tril"(%ones, -4) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %m = nxdt.aten "aten::logical_or"(%future, %past) : (tensor<8x8xi1>, tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask masks row 4, column 0, which a causal mask keeps}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Only some of the future is masked.
// CHECK-LABEL: func @lets_one_through
// CHECK-NOT: nxdt.sdpa
func.func @lets_one_through(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 2) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask keeps row 0, column 1, which a causal mask masks}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A prefix that everybody may read.
// CHECK-LABEL: func @prefix
// CHECK-NOT: nxdt.sdpa
func.func @prefix(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %i = nxdt.aten "aten::arange"(8, none, none, device, none) : () -> tensor<8xi64>
  %rows = nxdt.aten "aten::unsqueeze"(%i, 1) : (tensor<8xi64>) -> tensor<8x1xi64>
  %later = nxdt.aten "aten::gt.Tensor"(%i, %rows) : (tensor<8xi64>, tensor<8x1xi64>) -> tensor<8x8xi1>
  %own = nxdt.aten "aten::ge.Scalar"(%i, 3) : (tensor<8xi64>) -> tensor<8xi1>
  %m = nxdt.aten "aten::bitwise_and.Tensor"(%later, %own) : (tensor<8x8xi1>, tensor<8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask keeps row 0, column 1, which a causal mask masks}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Too weak to mask.
// CHECK-LABEL: func @weak
// CHECK-NOT: nxdt.sdpa
func.func @weak(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, -100.0) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask neither keeps nor masks row 0, column 1: it puts -100.000000}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// -20000 / 8 does not mask any more.
// CHECK-LABEL: func @weakened
// CHECK-NOT: nxdt.sdpa
func.func @weakened(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, -20000.0) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  %s2 = nxdt.aten "aten::mul.Scalar"(%s1, 0.125) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask neither keeps nor masks row 0, column 1: it puts -2500.000000}}
  %p0 = nxdt.aten "aten::softmax.int"(%s2, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// 0 * -inf.
// CHECK-LABEL: func @not_a_number
// CHECK-NOT: nxdt.sdpa
func.func @not_a_number(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %inf = nxdt.aten "aten::full"(array<i64: 8, 8>, 0xFFF0000000000000 : f64, f32, none, device, none) : () -> tensor<8x8xf32>
  %one = nxdt.aten "aten::ones_like"(%inf, none, none, none, none, none) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %up = nxdt.aten "aten::triu"(%one, 1) : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %m = nxdt.aten "aten::mul.Tensor"(%up, %inf) : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %s1 = nxdt.aten "aten::add.Tensor"(%s0, %m, 1) : (tensor<1x4x8x8xf32>, tensor<8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask neither keeps nor masks row 0, column 0: it adds not a number}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

nxdt.buffer @learned {role = "param"} : tensor<4x8x8xf32>
// A bias that is learned.
// CHECK-LABEL: func @bias
// CHECK-NOT: nxdt.sdpa
func.func @bias(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>, %bias: tensor<4x8x8xf32> {nxdt.buffer = @learned}) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %s1 = nxdt.aten "aten::add.Tensor"(%s0, %bias, 1) : (tensor<1x4x8x8xf32>, tensor<4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask depends on @learned}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Slopes per head (ALiBi).
// CHECK-LABEL: func @per_head
// CHECK-NOT: nxdt.sdpa
func.func @per_head(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %h = nxdt.aten "aten::arange"(4, f32, none, device, none) : () -> tensor<4xf32>
  %m = nxdt.aten "aten::view"(%h, array<i64: 4, 1, 1>) : (tensor<4xf32>) -> tensor<4x1x1xf32>
  %s1 = nxdt.aten "aten::add.Tensor"(%s0, %m, 1) : (tensor<1x4x8x8xf32>, tensor<4x1x1xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask depends on the batch or the head}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A distance is no mask.
// CHECK-LABEL: func @distance
// CHECK-NOT: nxdt.sdpa
func.func @distance(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %m = nxdt.aten "aten::arange"(8, f32, none, device, none) : () -> tensor<8xf32>
  %s1 = nxdt.aten "aten::add.Tensor"(%s0, %m, 1) : (tensor<1x4x8x8xf32>, tensor<8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask adds numbers that vary}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// The mask is computed by an operator that is not known here.
// CHECK-LABEL: func @unknown
// CHECK-NOT: nxdt.sdpa
func.func @unknown(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "mine::shuffle"(%ones) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask depends on 'mine::shuffle'}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// bf16 cannot tell 257 columns apart.
// CHECK-LABEL: func @rounded
// CHECK-NOT: nxdt.sdpa
func.func @rounded(%q: tensor<1x1x300x2xf32>, %k: tensor<1x1x300x2xf32>, %v: tensor<1x1x300x2xf32>) -> tensor<1x1x300x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x1x300x2xf32>) -> tensor<1x1x2x300xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x1x300x2xf32>, tensor<1x1x2x300xf32>) -> tensor<1x1x300x300xf32>
  %i = nxdt.aten "aten::arange"(300, bf16, none, device, none) : () -> tensor<300xbf16>
  %rows = nxdt.aten "aten::unsqueeze"(%i, 1) : (tensor<300xbf16>) -> tensor<300x1xbf16>
  %m = nxdt.aten "aten::gt.Tensor"(%i, %rows) : (tensor<300xbf16>, tensor<300x1xbf16>) -> tensor<300x300xi1>
  %f = nxdt.aten "aten::masked_fill.Scalar"(%s, %m, -1.0e+30) : (tensor<1x1x300x300xf32>, tensor<300x300xi1>) -> tensor<1x1x300x300xf32>
  // expected-remark @+1 {{its mask depends on numbers that its element type rounds}}
  %p = nxdt.aten "aten::softmax.int"(%f, -1, none) : (tensor<1x1x300x300xf32>) -> tensor<1x1x300x300xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x1x300x300xf32>, tensor<1x1x300x2xf32>) -> tensor<1x1x300x2xf32>
  return %o : tensor<1x1x300x2xf32>
}

// -----

// Scores bent by tanh.
// CHECK-LABEL: func @soft_cap
// CHECK-NOT: nxdt.sdpa
func.func @soft_cap(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::tanh"(%s0) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %s2 = nxdt.aten "aten::masked_fill.Scalar"(%s1, %m, 0xFFF0000000000000 : f64) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its scores pass through 'aten::tanh'}}
  %p0 = nxdt.aten "aten::softmax.int"(%s2, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Softmax over the queries.
// CHECK-LABEL: func @over_queries
// CHECK-NOT: nxdt.sdpa
func.func @over_queries(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its softmax is not over the last dimension}}
  %p0 = nxdt.aten "aten::softmax.int"(%s0, 2, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A negative scale.
// CHECK-LABEL: func @negative
// CHECK-NOT: nxdt.sdpa
func.func @negative(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %s1 = nxdt.aten "aten::mul.Scalar"(%s0, -1.0) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its scale -1.000000 is not positive}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// ... on the queries.
// CHECK-LABEL: func @negative_queries
// CHECK-NOT: nxdt.sdpa
func.func @negative_queries(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %q1 = nxdt.aten "aten::mul.Scalar"(%q, -1.0) : (tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q1, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its scale -1.000000 is not positive}}
  %p0 = nxdt.aten "aten::softmax.int"(%s0, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// The scores are read elsewhere.
// CHECK-LABEL: func @scores_used
// CHECK-NOT: nxdt.sdpa
func.func @scores_used(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> (tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>) {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %s1 = nxdt.aten "aten::mul.Scalar"(%s0, 0.5) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its scores are used elsewhere too}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o, %s0 : tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>
}

// -----

// So are the probabilities.
// CHECK-LABEL: func @probabilities_used
// CHECK-NOT: nxdt.sdpa
func.func @probabilities_used(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> (tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>) {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its probabilities are used elsewhere too}}
  %p0 = nxdt.aten "aten::softmax.int"(%s0, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o, %p0 : tensor<1x4x8x2xf32>, tensor<1x4x8x8xf32>
}

// -----

// Dropout that drops is no attention that this pass knows: not even a remark.
// CHECK-LABEL: func @dropout
// CHECK-NOT: nxdt.sdpa
func.func @dropout(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %p0 = nxdt.aten "aten::softmax.int"(%s0, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %p1 = nxdt.aten "aten::dropout"(%p0, 0.1, true) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p1, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A part without gradients would get some.
// CHECK-LABEL: func @no_grad
// CHECK-NOT: nxdt.sdpa
func.func @no_grad(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: a part of it runs without gradients}}
  %p0 = nxdt.aten "aten::softmax.int"(%s0, -1, f32) {no_grad} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// f64 would lose precision.
// CHECK-LABEL: func @f64
// CHECK-NOT: nxdt.sdpa
func.func @f64(%q: tensor<1x4x8x2xf64>, %k: tensor<1x4x8x2xf64>, %v: tensor<1x4x8x2xf64>) -> tensor<1x4x8x2xf64> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf64>) -> tensor<1x4x2x8xf64>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf64>, tensor<1x4x2x8xf64>) -> tensor<1x4x8x8xf64>
  // expected-remark @+1 {{attention stays written out: fused attention computes in f32 at most}}
  %p0 = nxdt.aten "aten::softmax.int"(%s0, -1, f32) : (tensor<1x4x8x8xf64>) -> tensor<1x4x8x8xf32>
  %p = nxdt.aten "aten::to.dtype"(%p0, f64, false, false, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf64>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf64>, tensor<1x4x8x2xf64>) -> tensor<1x4x8x2xf64>
  return %o : tensor<1x4x8x2xf64>
}

// -----

// The keys are not transposed.
// CHECK-LABEL: func @square
// CHECK-NOT: nxdt.sdpa
func.func @square(%q: tensor<1x4x8x8xf32>, %k: tensor<1x4x8x8xf32>, %v: tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> {
  %s = nxdt.aten "aten::matmul"(%q, %k) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{its keys are not transposed in their last two dimensions}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return %o : tensor<1x4x8x8xf32>
}

// -----

// No head dimension.
// CHECK-LABEL: func @rank3
// CHECK-NOT: nxdt.sdpa
func.func @rank3(%q: tensor<4x8x2xf32>, %k: tensor<4x2x8xf32>, %v: tensor<4x8x2xf32>) -> tensor<4x8x2xf32> {
  %s = nxdt.aten "aten::bmm"(%q, %k) : (tensor<4x8x2xf32>, tensor<4x2x8xf32>) -> tensor<4x8x8xf32>
  // expected-remark @+1 {{its scores have 3 dimensions; attention is [batch, heads, sequence, head_dim]}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  %o = nxdt.aten "aten::bmm"(%p, %v) : (tensor<4x8x8xf32>, tensor<4x8x2xf32>) -> tensor<4x8x2xf32>
  return %o : tensor<4x8x2xf32>
}

// -----

// Values of another width.
// CHECK-LABEL: func @wide_values
// CHECK-NOT: nxdt.sdpa
func.func @wide_values(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x6xf32>) -> tensor<1x4x8x6xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, -1, -2) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{keys and values differ in shape or element type}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x6xf32>) -> tensor<1x4x8x6xf32>
  return %o : tensor<1x4x8x6xf32>
}

// -----

// A causal mask of fewer queries than keys could mean two things.
// CHECK-LABEL: func @decode
// CHECK-NOT: nxdt.sdpa
func.func @decode(%q: tensor<1x4x4x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x4x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, -1, -2) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x4x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x4x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 4, 8>, i1, none, device, none) : () -> tensor<4x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<4x8xi1>) -> tensor<4x8xi1>
  %f = nxdt.aten "aten::masked_fill.Scalar"(%s, %m, -1.0e+30) : (tensor<1x4x4x8xf32>, tensor<4x8xi1>) -> tensor<1x4x4x8xf32>
  // expected-remark @+1 {{it masks 4 queries against 8 keys}}
  %p = nxdt.aten "aten::softmax.int"(%f, -1, none) : (tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x4x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x4x2xf32>
  return %o : tensor<1x4x4x2xf32>
}

// -----

// Queries in bf16, the rest of it in f32.
// CHECK-LABEL: func @widened
// CHECK-NOT: nxdt.sdpa
func.func @widened(%q: tensor<1x4x8x2xbf16>, %k: tensor<1x4x8x2xbf16>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, -1, -2) : (tensor<1x4x8x2xbf16>) -> tensor<1x4x2x8xbf16>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xbf16>, tensor<1x4x2x8xbf16>) -> tensor<1x4x8x8xbf16>
  // expected-remark @+1 {{keys and values differ in shape or element type}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, f32) : (tensor<1x4x8x8xbf16>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A mask whose rows and columns are merged.
// CHECK-LABEL: func @merged
// CHECK-NOT: nxdt.sdpa
func.func @merged(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %i = nxdt.aten "aten::arange"(64, none, none, device, none) : () -> tensor<64xi64>
  %rows = nxdt.aten "aten::view"(%i, array<i64: 8, 8>) : (tensor<64xi64>) -> tensor<8x8xi64>
  %m = nxdt.aten "aten::gt.Scalar"(%rows, 3) : (tensor<8x8xi64>) -> tensor<8x8xi1>
  %f = nxdt.aten "aten::masked_fill.Scalar"(%s, %m, -1.0e+30) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{its mask depends on 'aten::view', which splits or merges dimensions}}
  %p = nxdt.aten "aten::softmax.int"(%f, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// A quadratic mask, and one of integers' bits.
// CHECK-LABEL: func @quadratic
// CHECK-NOT: nxdt.sdpa
func.func @quadratic(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %i = nxdt.aten "aten::arange"(8, none, none, device, none) : () -> tensor<8xi64>
  %sq = nxdt.aten "aten::mul.Tensor"(%i, %i) : (tensor<8xi64>, tensor<8xi64>) -> tensor<8xi64>
  %m = nxdt.aten "aten::gt.Scalar"(%sq, 9) : (tensor<8xi64>) -> tensor<8xi1>
  %f = nxdt.aten "aten::masked_fill.Scalar"(%s, %m, -1.0e+30) : (tensor<1x4x8x8xf32>, tensor<8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{its mask depends on 'aten::mul.Tensor' of two tensors that are not constant}}
  %p = nxdt.aten "aten::softmax.int"(%f, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// CHECK-LABEL: func @bits
// CHECK-NOT: nxdt.sdpa
func.func @bits(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %i = nxdt.aten "aten::arange"(8, none, none, device, none) : () -> tensor<8xi64>
  %odd = nxdt.aten "aten::bitwise_and.Scalar"(%i, 1) : (tensor<8xi64>) -> tensor<8xi64>
  %m = nxdt.aten "aten::gt.Scalar"(%odd, 0) : (tensor<8xi64>) -> tensor<8xi1>
  %f = nxdt.aten "aten::masked_fill.Scalar"(%s, %m, -1.0e+30) : (tensor<1x4x8x8xf32>, tensor<8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{its mask depends on 'aten::bitwise_and.Scalar' of integers}}
  %p = nxdt.aten "aten::softmax.int"(%f, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Scores that come from outside, and shapes that only broadcast.
// CHECK-LABEL: func @given
// CHECK-NOT: nxdt.sdpa
func.func @given(%s: tensor<1x4x8x8xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  // expected-remark @+1 {{its scores are not the product of q and k}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// CHECK-LABEL: func @one_batch_of_keys
// CHECK-NOT: nxdt.sdpa
func.func @one_batch_of_keys(%q: tensor<3x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<3x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<3x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<3x4x8x8xf32>
  // expected-remark @+1 {{queries and keys differ in batch, head_dim or element type}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<3x4x8x8xf32>) -> tensor<3x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<3x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<3x4x8x2xf32>
  return %o : tensor<3x4x8x2xf32>
}

// CHECK-LABEL: func @one_head_of_queries
// CHECK-NOT: nxdt.sdpa
func.func @one_head_of_queries(%q: tensor<1x1x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x1x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{its result differs from its queries in shape or element type}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// CHECK-LABEL: func @values_without_batch
// CHECK-NOT: nxdt.sdpa
func.func @values_without_batch(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::mT"(%k) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{q, k and v are not all [batch, heads, sequence, head_dim]}}
  %p = nxdt.aten "aten::softmax.int"(%s, -1, none) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p, %v) : (tensor<1x4x8x8xf32>, tensor<8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}

// -----

// Zero is a score like others.
// CHECK-LABEL: func @zeroed
// CHECK-NOT: nxdt.sdpa
func.func @zeroed(%q: tensor<1x4x8x2xf32>, %k: tensor<1x4x8x2xf32>, %v: tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32> {
  %kt = nxdt.aten "aten::transpose.int"(%k, 2, 3) : (tensor<1x4x8x2xf32>) -> tensor<1x4x2x8xf32>
  %s0 = nxdt.aten "aten::matmul"(%q, %kt) : (tensor<1x4x8x2xf32>, tensor<1x4x2x8xf32>) -> tensor<1x4x8x8xf32>
  %ones = nxdt.aten "aten::ones"(array<i64: 8, 8>, i1, none, device, none) : () -> tensor<8x8xi1>
  %m = nxdt.aten "aten::triu"(%ones, 1) : (tensor<8x8xi1>) -> tensor<8x8xi1>
  %s1 = nxdt.aten "aten::masked_fill.Scalar"(%s0, %m, 0.0) : (tensor<1x4x8x8xf32>, tensor<8x8xi1>) -> tensor<1x4x8x8xf32>
  // expected-remark @+1 {{attention stays written out: its mask neither keeps nor masks row 0, column 1: it puts 0.000000}}
  %p0 = nxdt.aten "aten::softmax.int"(%s1, -1, f32) : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %o = nxdt.aten "aten::matmul"(%p0, %v) : (tensor<1x4x8x8xf32>, tensor<1x4x8x2xf32>) -> tensor<1x4x8x2xf32>
  return %o : tensor<1x4x8x2xf32>
}
