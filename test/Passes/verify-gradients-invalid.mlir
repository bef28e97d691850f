// RUN: nxdt-opt %s --verify-gradients --split-input-file --verify-diagnostics

// expected-error @+1 {{there are no @forward and @gradients; run autodiff first}}
module {}

// -----

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// expected-error @+1 {{parameter @w has no gradient}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// expected-error @+1 {{the gradient of @w is 'tensor<f32>', the parameter is 'tensor<4xf32>'}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<f32>, tensor<f32> {nxdt.grad_of = @w}) {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0, %0 : tensor<f32>, tensor<f32>
}
