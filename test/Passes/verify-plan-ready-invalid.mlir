// RUN: nxdt-opt %s --verify-plan-ready --split-input-file --verify-diagnostics

nxdt.buffer @g {role = "input"} : tensor<4xf32>
// expected-error @+1 {{program @p returns 1 values; results are written to buffers}}
func.func @p(%g: tensor<4xf32> {nxdt.buffer = @g}) -> tensor<4xf32> { return %g : tensor<4xf32> }

// -----

// expected-error @+1 {{argument 0 of program @p is bound to no declared buffer}}
func.func @p(%g: tensor<4xf32>) { return }

// -----

nxdt.buffer @g {role = "input"} : tensor<4xf32>
// expected-error @+1 {{argument 0 of program @p is 'tensor<2xf32>', its buffer @g is 'tensor<4xf32>'}}
func.func @p(%g: tensor<2xf32> {nxdt.buffer = @g}) { return }

// -----

nxdt.buffer @g {role = "input"} : tensor<4xf32>
func.func @p(%g: tensor<4xf32> {nxdt.buffer = @g}) {
  // expected-error @+1 {{'aten::relu_' mutates the input @g, which the runtime sets}}
  %0 = nxdt.aten "aten::relu_"(%g) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

nxdt.buffer @g {role = "input"} : tensor<4xf32>
func.func @p(%g: tensor<4xf32> {nxdt.buffer = @g}) {
  %0 = nxdt.aten "aten::exp"(%g) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'aten::relu_' mutates operand 0, which is not a buffer of the program}}
  %1 = nxdt.aten "aten::relu_"(%0) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

nxdt.buffer @a {role = "scalar"} : tensor<4xf32>
nxdt.buffer @b {role = "scalar"} : tensor<4xf32>
nxdt.buffer @g {role = "input"} : tensor<4xf32>
func.func @p(%a: tensor<4xf32> {nxdt.buffer = @a}, %b: tensor<4xf32> {nxdt.buffer = @b}, %g: tensor<4xf32> {nxdt.buffer = @g}) {
  %0 = nxdt.aten "aten::view"(%a, array<i64: 4>) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nxdt.aten "aten::copy_"(%a, %g, false) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{after its buffer @a was overwritten in place}}
  %2 = nxdt.aten "aten::copy_"(%b, %0, false) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}
