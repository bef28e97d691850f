// RUN: nxdt-opt %s --mark-origins --verify-diagnostics

nxdt.buffer @x {role = "input"} : tensor<4xf32>
// Numbers of another time would name other values.
// expected-error @+1 {{program 'f' has names for its values already}}
func.func @f(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @x}) attributes {nxdt.origin = "f"} {
  %0 = nxdt.aten "aten::exp"(%x) {nxdt.origin = ["f#0.0>x"]} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
