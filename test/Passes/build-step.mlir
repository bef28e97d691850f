// RUN: nxdt-opt %s --append-loss --autodiff --build-step --canonicalize --split-input-file | FileCheck %s

// Weights decay, vectors do not; fp32 needs no master.
// CHECK-DAG: nxdt.buffer @w.grad {param = "w", role = "grad"} : tensor<8x4xf32>
// CHECK-DAG: nxdt.buffer @w.exp_avg {param = "w", role = "opt_state", state = "exp_avg"} : tensor<8x4xf32>
// CHECK-DAG: nxdt.buffer @n.exp_avg_sq {param = "n", role = "opt_state", state = "exp_avg_sq"} : tensor<4xf32>
// CHECK-NOT: role = "master"
// CHECK-LABEL: func @begin_step
// CHECK-LABEL: func @train_step
// CHECK: nxdt.cross_entropy
// CHECK: nxdt.accumulate %{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<8x4xf32>
// CHECK-LABEL: func @finish_step
// CHECK: %[[N:.*]] = nxdt.global_norm
// CHECK: nxdt.clip_scale %[[N]], %{{.*}} {max_norm = 1.000000e+00 : f64}
// CHECK-LABEL: func @update_step
// CHECK: nxdt.adamw {{.*}}weight_decay = 1.000000e-01 : f64} : tensor<8x4xf32>
// CHECK: nxdt.adamw {{.*}}weight_decay = 0.000000e+00 : f64} : tensor<4xf32>
// CHECK-LABEL: func @eval_step
// CHECK: nxdt.accumulate %{{.*}} : tensor<f64>, tensor<f32>
// CHECK: nxdt.accumulate %{{.*}} : tensor<i64>, tensor<i64>
// CHECK-LABEL: func @norm_params
module attributes {nxdt.train = {optimizer = "adamw", beta1 = 0.9, beta2 = 0.95, eps = 1.0e-8, weight_decay = 0.1, decay_norms = false, max_norm = 1.0}} {
  nxdt.buffer @w {role = "param"} : tensor<8x4xf32>
  nxdt.buffer @n {role = "param"} : tensor<4xf32>
  nxdt.buffer @x {role = "input"} : tensor<1x2x4xf32>
  func.func @forward(%w: tensor<8x4xf32> {nxdt.buffer = @w}, %n: tensor<4xf32> {nxdt.buffer = @n}, %x: tensor<1x2x4xf32> {nxdt.buffer = @x}) -> tensor<1x2x8xf32> {
    %0 = nxdt.aten "aten::mul.Tensor"(%x, %n) : (tensor<1x2x4xf32>, tensor<4xf32>) -> tensor<1x2x4xf32>
    %1 = nxdt.aten "aten::linear"(%0, %w, none) : (tensor<1x2x4xf32>, tensor<8x4xf32>) -> tensor<1x2x8xf32>
    return %1 : tensor<1x2x8xf32>
  }
}

// -----

// A bf16 weight has an fp32 master, gradient and momentum, and is cast from the master.
// CHECK-DAG: nxdt.buffer @w.master {param = "w", role = "master"} : tensor<8x4xf32>
// CHECK-DAG: nxdt.buffer @w.grad {param = "w", role = "grad"} : tensor<8x4xf32>
// CHECK-DAG: nxdt.buffer @w.momentum_buffer {param = "w", role = "opt_state", state = "momentum_buffer"} : tensor<8x4xf32>
// CHECK-LABEL: func @train_step
// CHECK: nxdt.accumulate %{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<8x4xbf16>
// CHECK-LABEL: func @finish_step
// CHECK: nxdt.clip_scale %{{.*}}, %{{[a-z0-9]+}} : tensor<f32>
// CHECK-LABEL: func @update_step
// CHECK: %[[P:.*]], %[[B:.*]] = nxdt.sgd
// CHECK: %[[C:.*]] = nxdt.aten "aten::to.dtype"(%[[P]], bf16
// CHECK: return %[[P]], %[[B]], %[[C]]
module attributes {nxdt.train = {optimizer = "sgd", momentum = 0.9, dampening = 0.0, weight_decay = 0.1, decay_norms = true}} {
  nxdt.buffer @w {role = "param"} : tensor<8x4xbf16>
  nxdt.buffer @x {role = "input"} : tensor<1x2x4xbf16>
  func.func @forward(%w: tensor<8x4xbf16> {nxdt.buffer = @w}, %x: tensor<1x2x4xbf16> {nxdt.buffer = @x}) -> tensor<1x2x8xbf16> {
    %1 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<1x2x4xbf16>, tensor<8x4xbf16>) -> tensor<1x2x8xbf16>
    return %1 : tensor<1x2x8xbf16>
  }
}
