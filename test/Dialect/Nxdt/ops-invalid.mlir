// RUN: nxdt-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{unknown role 'weight'}}
nxdt.buffer @w {role = "weight"} : tensor<4xf32>

// -----

// expected-error @+1 {{role 'grad' needs the attribute 'param'}}
nxdt.buffer @g {role = "grad"} : tensor<4xf32>

// -----

// expected-error @+1 {{role 'input' cannot have the attribute 'param'}}
nxdt.buffer @g {role = "input", param = "w"} : tensor<4xf32>

// -----

// expected-error @+1 {{exactly role 'opt_state' has the attribute 'state'}}
nxdt.buffer @g {role = "opt_state", param = "w"} : tensor<4xf32>

// -----

// expected-error @+1 {{only role 'param' has an 'init'}}
nxdt.buffer @g {role = "input", init = {kind = "constant", value = 1.0}} : tensor<4xf32>

// -----

// expected-error @+1 {{only role 'param' has 'tied' names}}
nxdt.buffer @g {role = "input", tied = ["x"]} : tensor<4xf32>

// -----

// expected-error @+1 {{'init' needs a 'kind'}}
nxdt.buffer @g {role = "param", init = {value = 1.0}} : tensor<4xf32>

// -----

// expected-error @+1 {{unknown init kind 'orthogonal'}}
nxdt.buffer @g {role = "param", init = {kind = "orthogonal"}} : tensor<4xf32>

// -----

// expected-error @+1 {{init 'normal' needs the number 'std'}}
nxdt.buffer @g {role = "param", init = {kind = "normal", mean = 0.0}} : tensor<4xf32>

// -----

// expected-error @+1 {{init 'constant' has unknown entries}}
nxdt.buffer @g {role = "param", init = {kind = "constant", value = 1.0, std = 1.0}} : tensor<4xf32>

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{callee 'relu' is not 'namespace::name[.overload]'}}
  %0 = nxdt.aten "relu"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'args' holds an attribute that no schema takes}}
  %0 = nxdt.aten "aten::relu"(%x, {a = 1}) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'args' places 0 operands, the op has 1}}
  %0 = "nxdt.aten"(%x) {callee = "aten::relu", args = []} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{mutates operand 1, but has 1 operands}}
  %0 = nxdt.aten "aten::relu_"(%x) {mutates = array<i32: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'views' has 2 entries for 1 results}}
  %0 = nxdt.aten "aten::detach"(%x) {views = array<i32: 0, 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{a result is a view of operand 3, but there are 1 operands}}
  %0 = nxdt.aten "aten::detach"(%x) {views = array<i32: 3>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{a list holds only operands and 'none'}}
  %0 = nxdt.aten "aten::cat"([%x, 1], 0) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'grad_of' has 2 entries for 1 gradients}}
  %0 = nxdt.aten_vjp "aten::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0, 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{gradient of result 1, but the operator has 1}}
  %0 = nxdt.aten_vjp "aten::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'grad_for' has 2 entries for 1 results}}
  %0 = nxdt.aten_vjp "aten::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 0, 0>, grad_of = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{gradient for operand 2, but there are 1}}
  %0 = nxdt.aten_vjp "aten::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 2>, grad_of = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{the gradient for operand 0 is 'tensor<2xf32>', the operand is 'tensor<4xf32>'}}
  %0 = nxdt.aten_vjp "aten::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x8x4xf32>, %k: tensor<1x4x8x4xf32>) {
  // expected-error @+1 {{number of query heads 6 is not a multiple of the 4 key heads}}
  %o, %l = nxdt.sdpa %q, %k, %k {causal = true, scale = 1.0 : f64} : tensor<1x6x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32> -> tensor<1x6x8x4xf32>, tensor<1x6x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x4x6x4xf32>) {
  // expected-error @+1 {{causal attention needs equal sequence lengths}}
  %o, %l = nxdt.sdpa %q, %k, %k {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<1x4x6x4xf32>, tensor<1x4x6x4xf32> -> tensor<1x4x8x4xf32>, tensor<1x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x8x4xf32>) {
  // expected-error @+1 {{q, k and v are [batch, heads, sequence, head_dim]}}
  %o, %l = nxdt.sdpa %q, %q, %q {causal = true, scale = 1.0 : f64} : tensor<4x8x4xf32>, tensor<4x8x4xf32>, tensor<4x8x4xf32> -> tensor<4x8x4xf32>, tensor<4x8xf32>
  return
}

// -----

func.func @f(%l: tensor<2x8xbf16>, %t: tensor<2xi64>) {
  // expected-error @+1 {{the loss is computed in f32 or f64, not 'bf16'}}
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<2x8xbf16>, tensor<2xi64> -> tensor<f32>, tensor<i64>, tensor<2x8xbf16>
  return
}

// -----

func.func @f(%l: tensor<2x8xf32>, %t: tensor<3xi64>) {
  // expected-error @+1 {{do not index the last dimension of}}
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<2x8xf32>, tensor<3xi64> -> tensor<f32>, tensor<i64>, tensor<2x8xf32>
  return
}

// -----

func.func @f(%l: tensor<2x8xf32>, %t: tensor<2xi32>) {
  // expected-error @+1 {{targets are i64}}
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<2x8xf32>, tensor<2xi32> -> tensor<f32>, tensor<i64>, tensor<2x8xf32>
  return
}

// -----

func.func @f(%a: tensor<4xbf16>, %g: tensor<4xbf16>) {
  // expected-error @+1 {{sums accumulate in 32 bits or more, and no fewer than what is added has, not in 'bf16'}}
  %0 = nxdt.accumulate %a, %g : tensor<4xbf16>, tensor<4xbf16>
  return
}

// -----

func.func @f(%a: tensor<4xf32>, %g: tensor<3xf32>) {
  // expected-error @+1 {{shapes of accumulator and added value differ}}
  %0 = nxdt.accumulate %a, %g : tensor<4xf32>, tensor<3xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %lr: tensor<f64>, %s: tensor<f32>) {
  // expected-error @+1 {{unknown variant 'adam'}}
  %p1, %m1, %v1 = nxdt.adamw %p, %p, %p, %p, %lr, %s, %s {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adam", correct_bias = true} : tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %lr: tensor<f64>, %s: tensor<f32>) {
  // expected-error @+1 {{a momentum buffer goes in and out exactly if momentum is not 0}}
  %p1 = nxdt.sgd %p, %p, %lr, %s, %s {momentum = 0.9 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64} : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %lr: tensor<f64>, %s: tensor<f32>) {
  // expected-error @+1 {{nesterov needs momentum and no dampening}}
  %p1 = nxdt.sgd %p, %p, %lr, %s, %s {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = true, weight_decay = 0.0 : f64} : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x4x8x4xf32>, %v: tensor<1x2x8x4xf32>) {
  // expected-error @+1 {{k is 'tensor<1x4x8x4xf32>', v is 'tensor<1x2x8x4xf32>'}}
  %o, %l = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x2x8x4xf32> -> tensor<1x4x8x4xf32>, tensor<1x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<2x4x8x4xf32>, %v: tensor<2x4x8x4xf32>) {
  // expected-error @+1 {{batch and head_dim of q 'tensor<1x4x8x4xf32>' and k 'tensor<2x4x8x4xf32>' differ}}
  %o, %l = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<2x4x8x4xf32>, tensor<2x4x8x4xf32> -> tensor<1x4x8x4xf32>, tensor<1x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x4x8x4xbf16>, %v: tensor<1x4x8x4xbf16>) {
  // expected-error @+1 {{element types of q and k differ}}
  %o, %l = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<1x4x8x4xbf16>, tensor<1x4x8x4xbf16> -> tensor<1x4x8x4xf32>, tensor<1x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x4x8x4xf32>, %v: tensor<1x4x8x4xf32>) {
  // expected-error @+1 {{out is 'tensor<1x4x8x2xf32>', q is 'tensor<1x4x8x4xf32>'}}
  %o, %l = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32> -> tensor<1x4x8x2xf32>, tensor<1x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x4x8x4xf32>, %v: tensor<1x4x8x4xf32>) {
  // expected-error @+1 {{lse is 'tensor<1x4x8xbf16>', wanted f32 of q's shape without head_dim}}
  %o, %l = nxdt.sdpa %q, %k, %v {causal = true, scale = 1.0 : f64} : tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32> -> tensor<1x4x8x4xf32>, tensor<1x4x8xbf16>
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %d: tensor<1x4x8x2xf32>, %l: tensor<1x4x8xf32>) {
  // expected-error @+1 {{dout and out have different types}}
  %0:3 = nxdt.sdpa_backward %d, %q, %q, %q, %q, %l {causal = true, scale = 1.0 : f64} : (tensor<1x4x8x2xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8xf32>) -> (tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>)
  return
}

// -----

func.func @f(%q: tensor<1x4x8x4xf32>, %l: tensor<1x4x8xf32>) {
  // expected-error @+1 {{gradients have the types of what they belong to}}
  %0:3 = nxdt.sdpa_backward %q, %q, %q, %q, %q, %l {causal = true, scale = 1.0 : f64} : (tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8xf32>) -> (tensor<1x4x8x4xf32>, tensor<1x4x8x4xf32>, tensor<1x4x8x2xf32>)
  return
}

// -----

func.func @f(%l: tensor<2x8xf32>, %t: tensor<2xi64>) {
  // expected-error @+1 {{log_probs and logits have different types}}
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<f32>, tensor<i64>, tensor<2x4xf32>
  return
}

// -----

func.func @f(%l: tensor<2x8xf32>, %t: tensor<2xi64>) {
  // expected-error @+1 {{count is i64}}
  %s, %c, %p = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<2x8xf32>, tensor<2xi64> -> tensor<f32>, tensor<f32>, tensor<2x8xf32>
  return
}

// -----

func.func @f(%d: tensor<f32>, %p: tensor<2x8xf32>, %t: tensor<2xi64>) {
  // expected-error @+1 {{log_probs and dlogits have different types}}
  %0 = nxdt.cross_entropy_backward %d, %p, %t {ignore_index = -100 : i64} : tensor<f32>, tensor<2x8xf32>, tensor<2xi64> -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%d: tensor<f32>, %p: tensor<2x8xf32>, %t: tensor<4xi64>) {
  // expected-error @+1 {{do not index the last dimension of}}
  %0 = nxdt.cross_entropy_backward %d, %p, %t {ignore_index = -100 : i64} : tensor<f32>, tensor<2x8xf32>, tensor<4xi64> -> tensor<2x8xf32>
  return
}

// -----

func.func @f(%p: tensor<8xf32>, %lr: tensor<f64>, %s: tensor<f32>) {
  // expected-error @+1 {{new and old parameter have different types}}
  %p1 = nxdt.sgd %p, %p, %lr, %s, %s {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64} : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{callee '::relu' is not 'namespace::name[.overload]'}}
  %0 = nxdt.aten_vjp "::relu"(%x) grads(%x : tensor<4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<?xf32>) {
  // expected-error @+1 {{must be variadic of statically shaped tensor}}
  %0 = nxdt.aten "aten::relu"(%x) : (tensor<?xf32>) -> tensor<4xf32>
  return
}
