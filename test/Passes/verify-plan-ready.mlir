// RUN: nxdt-opt %s --verify-plan-ready | FileCheck %s

nxdt.buffer @acc {role = "scalar"} : tensor<4xf32>
nxdt.buffer @g {role = "input"} : tensor<4xf32>
// CHECK-LABEL: func @p
func.func @p(%a: tensor<4xf32> {nxdt.buffer = @acc}, %g: tensor<4xf32> {nxdt.buffer = @g}) {
  %0 = nxdt.aten "aten::add_.Tensor"(%a, %g, 1) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}
