// RUN: nxdt-opt %s --verify-capture | FileCheck %s

// What functionalize leaves passes, unchanged.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
// CHECK-LABEL: func @forward
// CHECK: nxdt.aten "aten::exp"
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<4xf32> {
  %0 = nxdt.aten "aten::exp"(%w) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
