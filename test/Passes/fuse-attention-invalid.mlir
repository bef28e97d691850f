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
