// RUN: nxdt-opt %s --autodiff --verify-gradients | FileCheck %s

nxdt.buffer @w {role = "param"} : tensor<4xf32>
// CHECK-LABEL: func @gradients
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::sum"(%w, none) : (tensor<4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
