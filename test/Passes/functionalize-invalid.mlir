// RUN: nxdt-opt %s --functionalize --split-input-file --verify-diagnostics

// All that cannot be made pure is reported in one run.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
nxdt.buffer @x {role = "input"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}, %x: tensor<4xf32> {nxdt.buffer = @x}, %free: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::add_.Tensor' cannot be made pure: it writes to @w, whose role is 'param'; a model may change its registered buffers only}}
  %0 = nxdt.aten "aten::add_.Tensor"(%w, %x, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::slice.Tensor"(%x, 0, 0, 2, 1) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<2xf32>
  // expected-error @+1 {{'aten::zero_' cannot be made pure: it writes to @x, whose role is 'input'}}
  %1 = nxdt.aten "aten::zero_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error @+1 {{it writes to argument 2 of @forward, which is bound to no buffer}}
  %2 = nxdt.aten "aten::zero_"(%free) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::expand"(%y, array<i64: 2, 4>, false) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<2x4xf32>
  // expected-error @+1 {{it writes through a view, and 'aten::expand' shows each element several times, so there is no one place to write to}}
  %0 = nxdt.aten "aten::mul_.Scalar"(%v, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::as_strided"(%y, array<i64: 2>, array<i64: 2>, none) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<2xf32>
  // expected-error @+1 {{it writes through a view, and no inverse of the view 'aten::as_strided' is known}}
  %0 = nxdt.aten "aten::mul_.Scalar"(%v, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::view.dtype"(%y, i32) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xi32>
  // expected-error @+1 {{it writes through a view, and 'aten::view.dtype' changes the element type}}
  %0 = nxdt.aten "aten::add_.Scalar"(%v, 1, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xi32>) -> tensor<4xi32>
  return %y : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'mine::bump_' cannot be made pure: no pure counterpart of it is known}}
  %0 = nxdt.aten "mine::bump_"(%y) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'aten::transpose_' cannot be made pure: no pure counterpart of it is known}}
  %1 = nxdt.aten "aten::transpose_"(%y, 0, 0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{'aten::add.out' cannot be made pure: it writes to other operands than its first}}
  %0 = nxdt.aten "aten::add.out"(%x, %x, 1, %y) {mutates = array<i32: 2>, views = array<i32: 2>} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>, %i: tensor<2x4xf32>) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{its result does not have the shape of what it writes to}}
  %0 = nxdt.aten "aten::add_.Tensor"(%y, %i, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>, tensor<2x4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// Autograd would differentiate the old values.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<4xf32> {
  %y = nxdt.aten "aten::exp"(%w) : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{it runs without gradients, but writes to a value that has one}}
  %0 = nxdt.aten "aten::mul_.Scalar"(%y, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>, no_grad} : (tensor<4xf32>) -> tensor<4xf32>
  %v = nxdt.aten "aten::detach"(%y) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{it writes through 'aten::detach' to a value that has a gradient}}
  %1 = nxdt.aten "aten::mul_.Scalar"(%v, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
