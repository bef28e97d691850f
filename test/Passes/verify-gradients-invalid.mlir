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

// -----

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// expected-error @+1 {{@gradients takes and returns something else than @forward}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<4xf32> {nxdt.grad_of = @w}) {
  return %w : tensor<4xf32>
}

// -----

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
nxdt.buffer @x {role = "input"} : tensor<4xf32>
// expected-error @+1 {{result 2 is the gradient of @x, which is not a parameter}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w}, tensor<4xf32> {nxdt.grad_of = @x}) {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0, %w, %w : tensor<f32>, tensor<4xf32>, tensor<4xf32>
}

// -----

nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// expected-error @+1 {{result 2 is a second gradient of @w}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w}, tensor<4xf32> {nxdt.grad_of = @w}) {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0, %w, %w : tensor<f32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// What ran without gradients has none.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "mine::sum"(%w) {no_grad} : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
// expected-error @+1 {{the loss does not depend on parameter @w where gradients are enabled, but its gradient is not zero}}
func.func @gradients(%w: tensor<4xf32> {nxdt.buffer = @w}) -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w}) {
  %0 = nxdt.aten "mine::sum"(%w) {no_grad} : (tensor<4xf32>) -> tensor<f32>
  %one = nxdt.aten "aten::full"(array<i64>, 1.0, f32, none, device, none) : () -> tensor<f32>
  // expected-error @+1 {{is the gradient of 'mine::sum', which ran with gradients disabled}}
  %1 = nxdt.aten_vjp "mine::sum"(%w) grads(%one : tensor<f32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<f32>, tensor<4xf32>
}
