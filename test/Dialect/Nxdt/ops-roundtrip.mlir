// RUN: nxdt-opt %s --verify-roundtrip | FileCheck %s

// CHECK: nxdt.buffer @w {init = {kind = "normal", mean = 0.000000e+00 : f64, std = 2.000000e-02 : f64}, role = "param", tied = ["other"]} : tensor<8x4xf32>
nxdt.buffer @w {role = "param", init = {kind = "normal", mean = 0.0, std = 0.02}, tied = ["other"]} : tensor<8x4xf32>
// CHECK: nxdt.buffer @m {param = "w", role = "opt_state", state = "exp_avg"} : tensor<8x4xf32>
nxdt.buffer @m {role = "opt_state", param = "w", state = "exp_avg"} : tensor<8x4xf32>

// CHECK-LABEL: func @aten
func.func @aten(%x: tensor<2x4xf32>, %w: tensor<8x4xf32>, %i: tensor<2xi64>) {
  // CHECK: nxdt.aten "aten::linear"(%{{.*}}, %{{.*}}, none) : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  %0 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
  // CHECK: nxdt.aten "aten::index.Tensor"(%{{.*}}, [none, %{{.*}}])
  %1 = nxdt.aten "aten::index.Tensor"(%x, [none, %i]) : (tensor<2x4xf32>, tensor<2xi64>) -> tensor<2x2xf32>
  // CHECK: nxdt.aten "aten::full"(array<i64: 2>, 5.000000e-01, bf16, none, device, none) : () -> tensor<2xbf16>
  %2 = nxdt.aten "aten::full"(array<i64: 2>, 0.5, bf16, none, device, none) : () -> tensor<2xbf16>
  // CHECK: nxdt.aten "aten::masked_fill.Scalar"(%{{.*}}, %{{.*}}, 0xFFF0000000000000 : f64)
  %3 = nxdt.aten "aten::gt.Scalar"(%x, 1) : (tensor<2x4xf32>) -> tensor<2x4xi1>
  %4 = nxdt.aten "aten::masked_fill.Scalar"(%x, %3, 0xFFF0000000000000 : f64) : (tensor<2x4xf32>, tensor<2x4xi1>) -> tensor<2x4xf32>
  // CHECK: nxdt.aten "aten::gelu"(%{{.*}}, "tanh")
  %5 = nxdt.aten "aten::gelu"(%x, "tanh") : (tensor<2x4xf32>) -> tensor<2x4xf32>
  // CHECK: nxdt.aten "aten::add_.Tensor"(%{{.*}}, %{{.*}}, 1) {mutates = array<i32: 0>, no_grad, views = array<i32: 0>}
  %6 = nxdt.aten "aten::add_.Tensor"(%x, %x, 1) {mutates = array<i32: 0>, views = array<i32: 0>, no_grad} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  // CHECK: nxdt.aten_vjp "aten::hardswish"(%{{.*}}) grads(%{{.*}} : tensor<2x4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = nxdt.aten_vjp "aten::hardswish"(%x) grads(%x : tensor<2x4xf32>) {grad_for = array<i32: 0>, grad_of = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// CHECK-LABEL: func @typed
func.func @typed(%q: tensor<1x8x64x8xf32>, %k: tensor<1x4x64x8xf32>, %l: tensor<1x64x512xf32>, %t: tensor<1x64xi64>,
                 %p: tensor<8xf32>, %g: tensor<8xbf16>, %lr: tensor<f64>, %s: tensor<f32>) {
  // CHECK: nxdt.sdpa %{{.*}}, %{{.*}}, %{{.*}} {causal = true, scale = 1.250000e-01 : f64}
  %out, %lse = nxdt.sdpa %q, %k, %k {causal = true, scale = 0.125 : f64} : tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32> -> tensor<1x8x64x8xf32>, tensor<1x8x64xf32>
  // CHECK: nxdt.sdpa_backward
  %dq, %dk, %dv = nxdt.sdpa_backward %out, %q, %k, %k, %out, %lse {causal = true, scale = 0.125 : f64} : (tensor<1x8x64x8xf32>, tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x8x64x8xf32>, tensor<1x8x64xf32>) -> (tensor<1x8x64x8xf32>, tensor<1x4x64x8xf32>, tensor<1x4x64x8xf32>)
  // CHECK: nxdt.cross_entropy %{{.*}}, %{{.*}} {ignore_index = -100 : i64}
  %loss, %count, %lp = nxdt.cross_entropy %l, %t {ignore_index = -100 : i64} : tensor<1x64x512xf32>, tensor<1x64xi64> -> tensor<f32>, tensor<i64>, tensor<1x64x512xf32>
  // CHECK: nxdt.cross_entropy_backward
  %dl = nxdt.cross_entropy_backward %loss, %lp, %t {ignore_index = -100 : i64} : tensor<f32>, tensor<1x64x512xf32>, tensor<1x64xi64> -> tensor<1x64x512xf32>
  // CHECK: nxdt.accumulate %{{.*}}, %{{.*}} : tensor<8xf32>, tensor<8xbf16>
  %a = nxdt.accumulate %p, %g : tensor<8xf32>, tensor<8xbf16>
  // CHECK: nxdt.global_norm(%{{.*}}, %{{.*}}) : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  %n = nxdt.global_norm(%a, %p) : (tensor<8xf32>, tensor<8xf32>) -> tensor<f32>
  // CHECK: nxdt.clip_scale %{{.*}}, %{{.*}} {max_norm = 1.000000e+00 : f64}
  %gn, %sc = nxdt.clip_scale %n, %count {max_norm = 1.0 : f64} : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
  // CHECK: nxdt.adamw
  %p1, %m1, %v1 = nxdt.adamw %p, %a, %p, %p, %lr, %s, %sc {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true} : tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>
  // CHECK: nxdt.sgd
  %p2 = nxdt.sgd %p, %a, %lr, %s, %sc {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64} : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<8xf32>
  return
}

// Every role, every init; optional operands and attributes absent and present.
// CHECK: nxdt.buffer @u {init = {high = 1.000000e+00 : f64, kind = "uniform", low = -1.000000e+00 : f64}, role = "param"} : tensor<f64>
nxdt.buffer @u {role = "param", init = {kind = "uniform", low = -1.0, high = 1.0}} : tensor<f64>
// CHECK: nxdt.buffer @c {init = {kind = "constant", value = 1.000000e+00 : f64}, role = "param"} : tensor<4xbf16>
nxdt.buffer @c {role = "param", init = {kind = "constant", value = 1.0}} : tensor<4xbf16>
// CHECK: nxdt.buffer @c.master {param = "c", role = "master"} : tensor<4xf32>
nxdt.buffer @c.master {role = "master", param = "c"} : tensor<4xf32>
// CHECK: nxdt.buffer @c.grad {param = "c", role = "grad"} : tensor<4xf32>
nxdt.buffer @c.grad {role = "grad", param = "c"} : tensor<4xf32>
// CHECK: nxdt.buffer @b {role = "buffer"} : tensor<2x0xi1>
nxdt.buffer @b {role = "buffer"} : tensor<2x0xi1>
// CHECK: nxdt.buffer @i {role = "input"} : tensor<1xi64>
nxdt.buffer @i {role = "input"} : tensor<1xi64>
// CHECK: nxdt.buffer @s {role = "scalar"} : tensor<f16>
nxdt.buffer @s {role = "scalar"} : tensor<f16>

// CHECK-LABEL: func @momentum
func.func @momentum(%p: tensor<8xf32>, %lr: tensor<f64>, %s: tensor<f32>, %n: tensor<i64>) {
  // CHECK: %{{.*}}, %{{.*}} = nxdt.sgd %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {dampening = 0.000000e+00 : f64, momentum = 9.000000e-01 : f64, nesterov = true, weight_decay = 1.000000e-01 : f64}
  %p1, %b1 = nxdt.sgd %p, %p, %lr, %s, %s, %p {momentum = 0.9 : f64, dampening = 0.0 : f64, nesterov = true, weight_decay = 0.1 : f64} : (tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  // CHECK: nxdt.clip_scale %{{.*}}, %{{.*}} : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
  %g, %c = nxdt.clip_scale %s, %n : tensor<f32>, tensor<i64> -> tensor<f32>, tensor<f32>
  // CHECK: nxdt.global_norm() : () -> tensor<f32>
  %0 = nxdt.global_norm() : () -> tensor<f32>
  // CHECK: nxdt.adamw {{.*}} {beta1 = {{.*}}, correct_bias = false, {{.*}} variant = "adamw_fp32OptState"
  %p2, %m2, %v2 = nxdt.adamw %p, %p, %p, %p, %lr, %s, %s {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw_fp32OptState", correct_bias = false} : tensor<8xf32>, tensor<8xf32>, tensor<f64>, tensor<f32>, tensor<f32>
  return
}

// What a schema's arguments can be.
// CHECK-LABEL: func @arguments
func.func @arguments(%x: tensor<2xf32>) {
  // CHECK: nxdt.aten "mine::all"(%{{.*}}, [%{{.*}}, none, %{{.*}}], [], none, device, true, -3, 0x7FF0000000000000 : f64, "text", i64, array<i64: 1, 2>, array<f64: 5.000000e-01>, array<i1: true, false>) : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> ()
  nxdt.aten "mine::all"(%x, [%x, none, %x], [], none, device, true, -3, 0x7FF0000000000000 : f64, "text", i64, array<i64: 1, 2>, array<f64: 0.5>, array<i1: true, false>) : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> ()
  // CHECK: %{{.*}}:2 = nxdt.aten_vjp "mine::two"(%{{.*}}, %{{.*}}, 1) grads(%{{.*}} : tensor<2xf32>) {forward_results = 3 : i32, grad_for = array<i32: 1, 0>, grad_of = array<i32: 2>}
  %0:2 = nxdt.aten_vjp "mine::two"(%x, %x, 1) grads(%x : tensor<2xf32>) {forward_results = 3 : i32, grad_for = array<i32: 1, 0>, grad_of = array<i32: 2>} : (tensor<2xf32>, tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>)
  return
}

// Attributes that stand alone.
// CHECK: module attributes {mine.attrs = [#nxdt.none, #nxdt.device, #nxdt.operand]}
module attributes {mine.attrs = [#nxdt.none, #nxdt.device, #nxdt.operand]} {}
