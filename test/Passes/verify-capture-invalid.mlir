// RUN: nxdt-opt %s --verify-capture --split-input-file --verify-diagnostics

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::relu_' mutates a tensor; run functionalize first}}
  %0 = nxdt.aten "aten::relu_"(%x) {mutates = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::detach' returns a view; run functionalize first}}
  %0 = nxdt.aten "aten::detach"(%x) {views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::dropout' draws random numbers, which is not supported yet}}
  %0 = nxdt.aten "aten::dropout"(%x, 0.1, true) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @forward(%x: tensor<4xf32>) -> tensor<4x1xi64> {
  // expected-error @+1 {{'aten::nonzero' has a result whose size depends on the contents of a tensor}}
  %0 = nxdt.aten "aten::nonzero"(%x) : (tensor<4xf32>) -> tensor<4x1xi64>
  return %0 : tensor<4x1xi64>
}

// -----

// The name alone gives a mutation away.
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'aten::add_.Scalar' mutates a tensor; run functionalize first}}
  %0 = nxdt.aten "aten::add_.Scalar"(%x, 1, 1) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// expected-error @+2 {{argument 0 of @forward is 'tensor<?xf32>'; every shape must be known when compiling}}
// expected-error @+1 {{result 0 of @forward is 'tensor<?xf32>'; every shape must be known when compiling}}
func.func @forward(%x: tensor<?xf32>) -> tensor<?xf32> { return %x : tensor<?xf32> }

// -----

func.func @forward(%x: tensor<4xf32>, %m: tensor<4xi1>, %i: tensor<4xi64>) -> tensor<2xf32> {
  // expected-error @+1 {{'aten::randn' draws random numbers}}
  %0 = nxdt.aten "aten::randn"(array<i64: 4>, f32, none, device, none) : () -> tensor<4xf32>
  // A mask as index; integers are fine.
  // expected-error @+1 {{'aten::index.Tensor' has a result whose size depends on the contents of a tensor}}
  %1 = nxdt.aten "aten::index.Tensor"(%x, [%m]) : (tensor<4xf32>, tensor<4xi1>) -> tensor<2xf32>
  %2 = nxdt.aten "aten::index.Tensor"(%x, [%i]) : (tensor<4xf32>, tensor<4xi64>) -> tensor<4xf32>
  // expected-error @+1 {{'aten::repeat_interleave.Tensor' has a result whose size}}
  %3 = nxdt.aten "aten::repeat_interleave.Tensor"(%i, none) : (tensor<4xi64>) -> tensor<4xi64>
  // Dropout that drops nothing draws nothing.
  %4 = nxdt.aten "aten::dropout"(%x, 0.0, true) : (tensor<4xf32>) -> tensor<4xf32>
  %5 = nxdt.aten "aten::dropout"(%x, 0.5, false) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<2xf32>
}

// -----

// All unknown operators in one remark; unused parameters one warning each.
// expected-remark @+1 {{3 operators have no gradient in the registry; libtorch's autograd computes it at run time and runs the forward a second time: mine::a (2x), mine::b (2x, 1 needed), mine::c (1x, none needed)}}
module {
  nxdt.buffer @w {role = "param"} : tensor<4xf32>
  // expected-warning @+1 {{parameter @unused is not used in @forward; its gradient is zero}}
  nxdt.buffer @unused {role = "param"} : tensor<4xf32>
  func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}, %u: tensor<4xf32> {nxdt.buffer = @unused}, %x: tensor<4xf32>) -> tensor<4xf32> {
    %0 = nxdt.aten "mine::a"(%w) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = nxdt.aten "mine::a"(%0) : (tensor<4xf32>) -> tensor<4xf32>
    %2 = nxdt.aten "mine::b"(%1) : (tensor<4xf32>) -> tensor<4xf32>
    %3 = nxdt.aten "mine::b"(%2) {no_grad} : (tensor<4xf32>) -> tensor<4xf32>
    %4 = nxdt.aten "mine::c"(%3) : (tensor<4xf32>) -> tensor<4xf32>
    return %4 : tensor<4xf32>
  }
}
