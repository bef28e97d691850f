// RUN: nxdt-opt %s --build-step --record-scales --verify-reduction-scale | FileCheck %s --check-prefix=WHOLE
// RUN: nxdt-opt %s --build-step --record-scales --apply-strategy --partition --verify-sharding --verify-reduction-scale | FileCheck %s --check-prefix=SHARDED
// RUN: nxdt-opt %s --build-step --record-scales --apply-strategy --partition --lower-to-spmd --verify-reduction-scale | FileCheck %s --check-prefix=SPMD

// From the step as it was built to what a rank runs: with reshards, and with collectives in their place. The factor of the
// model's own (0.5, and what it becomes in the gradient) is no complaint.

// WHOLE: nxdt.scales = {
// WHOLE-SAME: train_step = {"aten::full by 1" = 1 : i64, "aten::mul.Scalar by 0.5" = 2 : i64, nxdt.accumulate = 3 : i64}
// SHARDED-LABEL: func @finish_step
// SHARDED: nxdt.reshard
// SHARDED: nxdt.clip_scale
// SPMD-LABEL: func @finish_step
// SPMD: nxdt.reduce_scatter
// SPMD: nxdt.clip_scale
#mesh = #nxdt.mesh<dp = 2, tp = 4>
module attributes {nxdt.mesh = #mesh, nxdt.strategy = {zero1 = true}, nxdt.sharding_rules = [{pattern = "w", dims = [["tp"], []]}],
    nxdt.train = {optimizer = "adamw", beta1 = 0.9, beta2 = 0.95, eps = 1.0e-8, weight_decay = 0.1, max_norm = 1.0}} {
  nxdt.buffer @w {role = "param"} : tensor<16x8xf32>
  nxdt.buffer @x {role = "input"} : tensor<4x8xf32>
  nxdt.buffer @targets {role = "input"} : tensor<4xi64>
  func.func @forward(%w: tensor<16x8xf32> {nxdt.buffer = @w}, %x: tensor<4x8xf32> {nxdt.buffer = @x}, %t: tensor<4xi64> {nxdt.buffer = @targets}) -> (tensor<f32>, tensor<i64>) {
    %h = nxdt.aten "aten::mul.Scalar"(%x, 0.5) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %y = nxdt.aten "aten::linear"(%h, %w, none) : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32>
    %loss, %count, %lp = nxdt.cross_entropy %y, %t {ignore_index = -100 : i64} : tensor<4x16xf32>, tensor<4xi64> -> tensor<f32>, tensor<i64>, tensor<4x16xf32>
    return %loss, %count : tensor<f32>, tensor<i64>
  }
  func.func @gradients(%w: tensor<16x8xf32> {nxdt.buffer = @w}, %x: tensor<4x8xf32> {nxdt.buffer = @x}, %t: tensor<4xi64> {nxdt.buffer = @targets}) -> (tensor<f32>, tensor<i64>, tensor<16x8xf32> {nxdt.grad_of = @w}) {
    %h = nxdt.aten "aten::mul.Scalar"(%x, 0.5) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %y = nxdt.aten "aten::linear"(%h, %w, none) : (tensor<4x8xf32>, tensor<16x8xf32>) -> tensor<4x16xf32>
    %loss, %count, %lp = nxdt.cross_entropy %y, %t {ignore_index = -100 : i64} : tensor<4x16xf32>, tensor<4xi64> -> tensor<f32>, tensor<i64>, tensor<4x16xf32>
    %one = nxdt.aten "aten::full"(array<i64>, 1.0, f32, none, device, none) : () -> tensor<f32>
    %dy = nxdt.cross_entropy_backward %one, %lp, %t {ignore_index = -100 : i64} : tensor<f32>, tensor<4x16xf32>, tensor<4xi64> -> tensor<4x16xf32>
    %dw = nxdt.weight_grad %dy, %h : tensor<4x16xf32>, tensor<4x8xf32> -> tensor<16x8xf32>
    %again = nxdt.aten "aten::mul.Scalar"(%dw, 0.5) : (tensor<16x8xf32>) -> tensor<16x8xf32>
    return %loss, %count, %again : tensor<f32>, tensor<i64>, tensor<16x8xf32>
  }
}
