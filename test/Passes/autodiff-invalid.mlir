// RUN: nxdt-opt %s --autodiff --split-input-file --verify-diagnostics

// expected-error @+1 {{autodiff needs a function @forward whose first result is a scalar loss}}
module {}

// -----

// expected-error @+1 {{autodiff needs a function @forward whose first result is a scalar loss}}
module {
  func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }
}

// -----

func.func @forward(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @+1 {{mutates an operand; run functionalize first}}
  %0 = nxdt.aten "aten::relu_"(%x) {mutates = array<i32: 0>} : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nxdt.buffer @w {role = "param"} : tensor<f32>
func.func @forward(%w: tensor<f32> {nxdt.buffer = @w}) -> tensor<f32> {
  // expected-remark @+1 {{no gradient registered for 'mine::op'}}
  %0 = nxdt.aten "mine::op"(%w) : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nxdt.buffer @w {role = "param"} : tensor<f32>
nxdt.buffer @v {role = "param"} : tensor<4xf32>
// expected-warning @+1 {{the loss does not depend on parameter 'v'; its gradient is zero}}
func.func @forward(%w: tensor<f32> {nxdt.buffer = @w}, %v: tensor<4xf32> {nxdt.buffer = @v}) -> tensor<f32> {
  %0 = nxdt.aten "aten::exp"(%w) : (tensor<f32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// The log-sum-exp is for the backward alone.
nxdt.buffer @w {role = "param"} : tensor<1x2x4x2xf32>
func.func @forward(%w: tensor<1x2x4x2xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  // expected-error @+1 {{has no gradient for how its results are used}}
  %o, %lse = nxdt.sdpa %w, %w, %w {causal = true, scale = 1.0 : f64} : tensor<1x2x4x2xf32>, tensor<1x2x4x2xf32>, tensor<1x2x4x2xf32> -> tensor<1x2x4x2xf32>, tensor<1x2x4xf32>
  %0 = nxdt.aten "aten::sum"(%lse, none) : (tensor<1x2x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
