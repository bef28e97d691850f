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

// -----

nxdt.buffer @g {role = "scalar"} : tensor<4xf32>
// expected-error @+1 {{arguments 0 and 1 of program @p are both buffer @g}}
func.func @p(%a: tensor<4xf32> {nxdt.buffer = @g}, %b: tensor<4xf32> {nxdt.buffer = @g}) { return }

// -----

nxdt.buffer @g {role = "scalar"} : tensor<4xf32>
func.func @p(%g: tensor<4xf32> {nxdt.buffer = @g}) {
  // expected-error @+1 {{'nxdt.global_norm' is left in program @p; only nxdt.aten, nxdt.aten_vjp and collectives have a place in a plan}}
  %0 = nxdt.global_norm(%g) : (tensor<4xf32>) -> tensor<f32>
  return
}

// -----

// expected-error @+1 {{'memref.global' has no place beside programs and buffers}}
memref.global @m : memref<4xf32>

// -----

// An update in place keeps the argument readable, a replacement does not.
nxdt.buffer @a {role = "scalar"} : tensor<4xf32>
nxdt.buffer @b {role = "scalar"} : tensor<4xf32>
func.func @p(%a: tensor<4xf32> {nxdt.buffer = @a}, %b: tensor<4xf32> {nxdt.buffer = @b}) {
  %0 = nxdt.aten "aten::add_.Tensor"(%a, %b, 1) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = nxdt.aten "aten::exp"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nxdt.aten "aten::zero_"(%a) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{reads operand 1 after its buffer @a was overwritten in place}}
  %3 = nxdt.aten "aten::copy_"(%b, %a, false) {mutates = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

// A reshape may be a view, and an operator that nobody registered too; an exp
// is none.
nxdt.buffer @a {role = "scalar"} : tensor<4xf32>
nxdt.buffer @b {role = "scalar"} : tensor<2x2xf32>
func.func @p(%a: tensor<4xf32> {nxdt.buffer = @a}, %b: tensor<2x2xf32> {nxdt.buffer = @b}) {
  %0 = nxdt.aten "aten::reshape"(%a, array<i64: 2, 2>) : (tensor<4xf32>) -> tensor<2x2xf32>
  %1 = nxdt.aten "mine::op"(%a) : (tensor<4xf32>) -> tensor<2x2xf32>
  %2 = nxdt.aten "aten::exp"(%0) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = nxdt.aten "aten::mul_.Scalar"(%a, 2.0) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{reads operand 1 after its buffer @a was overwritten in place}}
  %4 = nxdt.aten "aten::add_.Tensor"(%b, %0, 1) {mutates = array<i32: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  // expected-error @+1 {{reads operand 1 after its buffer @a was overwritten in place}}
  %5 = nxdt.aten "aten::add_.Tensor"(%b, %1, 1) {mutates = array<i32: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %6 = nxdt.aten "aten::add_.Tensor"(%b, %2, 1) {mutates = array<i32: 0>} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  // A gradient by libtorch reads, too.
  // expected-error @+1 {{reads operand 0 after its buffer @a was overwritten in place}}
  %7 = nxdt.aten_vjp "mine::op"(%0) grads(%2 : tensor<2x2xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

nxdt.buffer @g {role = "grad", param = "w"} : tensor<4xf32>
nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @p(%g: tensor<4xf32> {nxdt.buffer = @g}) {
  %v = nxdt.aten "aten::view"(%g, array<i64: 2, 2>) : (tensor<4xf32>) -> tensor<2x2xf32>
  %p = nxdt.all_reduce_start %v {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<2x2xf32>) -> !nxdt.pending<tensor<2x2xf32>>
  %0 = nxdt.aten "aten::add_.Scalar"(%g, 1, 1) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{buffer @g was written while a collective that reads it was under way}}
  %1 = nxdt.wait %p : !nxdt.pending<tensor<2x2xf32>> -> tensor<2x2xf32>
  return
}
