// RUN: nxdt-opt %s --functionalize --split-input-file --verify-diagnostics

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::add_.Tensor' cannot be made pure:}}
  %0 = nxdt.aten "aten::add_.Tensor"(%w, %w, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A write through a broadcast view has no inverse.
nxdt.buffer @x {role = "input"} : tensor<4xf32>
func.func @forward(%x: tensor<4xf32> {nxdt.buffer = @x}) -> tensor<2x4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::expand"(%y, array<i64: 2, 4>, false) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<2x4xf32>
  // expected-error @+1 {{cannot be made pure:}}
  %0 = nxdt.aten "aten::mul_.Scalar"(%v, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
