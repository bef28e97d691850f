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
  // CHECK: nxdt.grad_accumulate %{{.*}}, %{{.*}} : tensor<8xf32>, tensor<8xbf16>
  %a = nxdt.grad_accumulate %p, %g : tensor<8xf32>, tensor<8xbf16>
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
