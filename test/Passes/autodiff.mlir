// RUN: nxdt-opt %s --autodiff --canonicalize --split-input-file | FileCheck %s

// One gradient per parameter, marked; both uses of a value add up; the gradient
// of a broadcast operand is summed back to its shape.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
nxdt.buffer @x {role = "input"} : tensor<2x4xf32>
// CHECK-LABEL: func @forward
// CHECK-LABEL: func @gradients
// CHECK-SAME: (%[[W:.*]]: tensor<4xf32> {nxdt.buffer = @w}, %[[X:.*]]: tensor<2x4xf32> {nxdt.buffer = @x})
// CHECK-SAME: -> (tensor<f32>, tensor<4xf32> {nxdt.grad_of = @w})
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}, %x: tensor<2x4xf32> {nxdt.buffer = @x}) -> tensor<f32> {
  // CHECK: %[[P:.*]] = nxdt.aten "aten::mul.Tensor"(%[[X]], %[[W]])
  %0 = nxdt.aten "aten::mul.Tensor"(%x, %w) : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  // CHECK: nxdt.aten "aten::add.Tensor"(%[[P]], %[[W]], 1)
  %1 = nxdt.aten "aten::add.Tensor"(%0, %w, 1) : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  %2 = nxdt.aten "aten::sum"(%1, none) : (tensor<2x4xf32>) -> tensor<f32>
  // CHECK: %[[G:.*]] = nxdt.aten "aten::expand"(%{{.*}}, array<i64: 2, 4>, false)
  // CHECK: %[[S1:.*]] = nxdt.aten "aten::sum.dim_IntList"(%[[G]], array<i64: 0>, true, none)
  // CHECK: %[[G1:.*]] = nxdt.aten "aten::reshape"(%[[S1]], array<i64: 4>)
  // CHECK: %[[M:.*]] = nxdt.aten "aten::mul.Tensor"(%[[G]], %[[X]])
  // CHECK: %[[S2:.*]] = nxdt.aten "aten::sum.dim_IntList"(%[[M]], array<i64: 0>, true, none)
  // CHECK: %[[G2:.*]] = nxdt.aten "aten::reshape"(%[[S2]], array<i64: 4>)
  // CHECK: %[[SUM:.*]] = nxdt.aten "aten::add.Tensor"(%[[G1]], %[[G2]], 1)
  // CHECK: return %{{.*}}, %[[SUM]]
  return %2 : tensor<f32>
}

// -----

// What ran without gradients and what stops them passes none.
nxdt.buffer @w {role = "param"} : tensor<4xf32>
// CHECK-LABEL: func @gradients
func.func @forward(%w: tensor<4xf32> {nxdt.buffer = @w}) -> tensor<f32> {
  %0 = nxdt.aten "aten::exp"(%w) {no_grad} : (tensor<4xf32>) -> tensor<4xf32>
  %1 = nxdt.aten "aten::detach"(%w) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nxdt.aten "aten::mul.Tensor"(%0, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  // CHECK: %[[P:.*]] = nxdt.aten "aten::mul.Tensor"(%{{.*}}, %arg0)
  %3 = nxdt.aten "aten::mul.Tensor"(%2, %w) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %4 = nxdt.aten "aten::sum"(%3, none) : (tensor<4xf32>) -> tensor<f32>
  // CHECK: %[[G:.*]] = nxdt.aten "aten::mul.Tensor"
  // CHECK-NEXT: return %{{.*}}, %[[G]]
  return %4 : tensor<f32>
}

// -----

// Typed ops have gradients of their own.
nxdt.buffer @q {role = "param"} : tensor<1x2x4x8xf32>
nxdt.buffer @k {role = "param"} : tensor<1x1x4x8xf32>
// CHECK-LABEL: func @gradients
func.func @forward(%q: tensor<1x2x4x8xf32> {nxdt.buffer = @q}, %k: tensor<1x1x4x8xf32> {nxdt.buffer = @k}) -> tensor<f32> {
  // CHECK: %[[O:.*]], %[[L:.*]] = nxdt.sdpa
  %o, %l = nxdt.sdpa %q, %k, %k {causal = true, scale = 0.5 : f64} : tensor<1x2x4x8xf32>, tensor<1x1x4x8xf32>, tensor<1x1x4x8xf32> -> tensor<1x2x4x8xf32>, tensor<1x2x4xf32>
  %s = nxdt.aten "aten::sum"(%o, none) : (tensor<1x2x4x8xf32>) -> tensor<f32>
  // CHECK: %[[DQ:.*]], %[[DK:.*]], %[[DV:.*]] = nxdt.sdpa_backward %{{.*}}, %arg0, %arg1, %arg1, %[[O]], %[[L]]
  // CHECK: %[[D:.*]] = nxdt.aten "aten::add.Tensor"(%[[DK]], %[[DV]], 1)
  // CHECK: return %{{.*}}, %[[DQ]], %[[D]]
  return %s : tensor<f32>
}
