// RUN: nxdt-opt %s --autodiff --verify-gradients 2>/dev/null | FileCheck %s

// What autodiff makes passes: a gradient, zeros for a parameter that the loss
// does not depend on, none for integers and for what ran without gradients.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
nxdt.buffer @unused {role = "param"} : tensor<2xf32>
nxdt.buffer @frozen {role = "param"} : tensor<4xf32>
nxdt.buffer @ids {role = "param"} : tensor<4xi64>
// CHECK-LABEL: func @gradients
// CHECK-SAME: -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w}, tensor<2xf32> {nxdt.grad_of = @unused}, tensor<4xf32> {nxdt.grad_of = @frozen})
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}, %u: tensor<2xf32> {nxdt.buffer = @unused},
                   %f: tensor<4xf32> {nxdt.buffer = @frozen}, %i: tensor<4xi64> {nxdt.buffer = @ids}) -> tensor<f32> {
  %0 = nxdt.aten "aten::exp"(%f) {no_grad} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nxdt.aten "aten::mul.Tensor"(%w, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = nxdt.aten "mine::op"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = nxdt.aten "aten::sum"(%2, none) : (tensor<4xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}
