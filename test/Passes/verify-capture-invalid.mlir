// RUN: nxdt-opt %s --verify-capture --split-input-file --verify-diagnostics

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::relu_' mutates a tensor; run functionalize first}}
  %0 = nxdt.aten "aten::relu_"(%x) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::detach' returns a view; run functionalize first}}
  %0 = nxdt.aten "aten::detach"(%x) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::dropout' draws random numbers, which is not supported yet}}
  %0 = nxdt.aten "aten::dropout"(%x, 0.1, true) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4x1xi64> {
  // expected-error @+1 {{'aten::nonzero' has a result whose size depends on the contents of a tensor}}
  %0 = nxdt.aten "aten::nonzero"(%x) : (tensor<4xf32>) -> tensor<4x1xi64>
  return %0 : tensor<4x1xi64>
}
