// RUN: nxdt-opt %s --store-in-place | FileCheck %s

nxdt.buffer @p {role = "param"} : tensor<4xf32>
nxdt.buffer @acc {role = "grad", param = "p"} : tensor<4xf32>
nxdt.buffer @m {role = "opt_state", param = "p", state = "exp_avg"} : tensor<4xf32>
nxdt.buffer @v {role = "opt_state", param = "p", state = "exp_avg_sq"} : tensor<4xf32>
nxdt.buffer @g {role = "input"} : tensor<4xf32>
nxdt.buffer @lr {role = "input"} : tensor<f64>
nxdt.buffer @s {role = "input"} : tensor<f32>
nxdt.buffer @out {role = "scalar"} : tensor<4xf32>
nxdt.buffer @half {role = "scalar"} : tensor<4xbf16>

// CHECK-LABEL: func @accumulates_in_place
// CHECK-SAME: (%[[A:.*]]: tensor<4xf32> {nxdt.buffer = @acc}, %[[G:.*]]: tensor<4xf32> {nxdt.buffer = @g}) {
func.func @accumulates_in_place(%a: tensor<4xf32> {nxdt.buffer = @acc}, %g: tensor<4xf32> {nxdt.buffer = @g}) -> (tensor<4xf32> {nxdt.buffer = @acc}) {
  // CHECK-NEXT: nxdt.aten "aten::add_.Tensor"(%[[A]], %[[G]], 1) {mutates = array<i32: 0>}
  // CHECK-NEXT: return
  %0 = nxdt.accumulate %a, %g : tensor<4xf32>, tensor<4xf32>
  return %0 : tensor<4xf32>
}

// The old value is read afterwards: no update in place.
// CHECK-LABEL: func @keeps_what_is_read_later
func.func @keeps_what_is_read_later(%a: tensor<4xf32> {nxdt.buffer = @acc}, %g: tensor<4xf32> {nxdt.buffer = @g}) -> (tensor<4xf32> {nxdt.buffer = @acc}, tensor<4xf32> {nxdt.buffer = @out}) {
  // CHECK-NOT: add_
  // CHECK: %[[N:.*]] = nxdt.aten "aten::add.Tensor"(%{{.*}}, %{{.*}}, 1)
  // CHECK: %[[E:.*]] = nxdt.aten "aten::exp"
  // CHECK: nxdt.aten "aten::copy_"(%{{.*}}, %[[N]], false) {mutates = array<i32: 0>}
  // CHECK: nxdt.aten "aten::copy_"(%{{.*}}, %[[E]], false) {mutates = array<i32: 0>}
  %0 = nxdt.accumulate %a, %g : tensor<4xf32>, tensor<4xf32>
  %1 = nxdt.aten "aten::exp"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// Two buffers change places through copies made before anything is written.
// CHECK-LABEL: func @swap
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32> {nxdt.buffer = @out}, %[[Y:.*]]: tensor<4xf32> {nxdt.buffer = @acc})
func.func @swap(%x: tensor<4xf32> {nxdt.buffer = @out}, %y: tensor<4xf32> {nxdt.buffer = @acc}) -> (tensor<4xf32> {nxdt.buffer = @acc}, tensor<4xf32> {nxdt.buffer = @out}) {
  // CHECK-DAG: %[[CX:.*]] = nxdt.aten "aten::clone"(%[[X]], none)
  // CHECK-DAG: %[[CY:.*]] = nxdt.aten "aten::clone"(%[[Y]], none)
  // CHECK: nxdt.aten "aten::copy_"(%[[Y]], %[[CX]], false)
  // CHECK: nxdt.aten "aten::copy_"(%[[X]], %[[CY]], false)
  return %x, %y : tensor<4xf32>, tensor<4xf32>
}

// Zeros are filled in, casts are left to copy_.
// CHECK-LABEL: func @fill_and_cast
func.func @fill_and_cast(%x: tensor<4xf32> {nxdt.buffer = @out}) -> (tensor<4xf32> {nxdt.buffer = @acc}, tensor<4xbf16> {nxdt.buffer = @half}) {
  // CHECK-NEXT: nxdt.aten "aten::fill_.Scalar"(%{{.*}}, 0.000000e+00) {mutates = array<i32: 0>}
  // CHECK-NEXT: nxdt.aten "aten::copy_"(%{{.*}}, %arg0, false) {mutates = array<i32: 0>} : (tensor<4xbf16>, tensor<4xf32>)
  // CHECK-NEXT: return
  %0 = nxdt.aten "aten::full"(array<i64: 4>, 0.0, f32, none, device, none) : () -> tensor<4xf32>
  %1 = nxdt.aten "aten::to.dtype"(%x, bf16, false, false, none) : (tensor<4xf32>) -> tensor<4xbf16>
  return %0, %1 : tensor<4xf32>, tensor<4xbf16>
}

// CHECK-LABEL: func @adamw
func.func @adamw(%p: tensor<4xf32> {nxdt.buffer = @p}, %a: tensor<4xf32> {nxdt.buffer = @acc}, %m: tensor<4xf32> {nxdt.buffer = @m}, %v: tensor<4xf32> {nxdt.buffer = @v}, %lr: tensor<f64> {nxdt.buffer = @lr}, %s: tensor<f32> {nxdt.buffer = @s})
    -> (tensor<4xf32> {nxdt.buffer = @p}, tensor<4xf32> {nxdt.buffer = @m}, tensor<4xf32> {nxdt.buffer = @v}) {
  // CHECK-NEXT: %[[I:.*]] = nxdt.aten "aten::reciprocal"(%arg5)
  // CHECK-NEXT: nxdt.aten "aten::_fused_adamw_.tensor_lr"([%arg0], [%arg1], [%arg2], [%arg3], [], [%arg5], %arg4, {{.*}}, %[[I]], none) {mutates = array<i32: 0, 1, 2, 3>}
  // CHECK-NEXT: return
  %p1, %m1, %v1 = nxdt.adamw %p, %a, %m, %v, %lr, %s, %s {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true} : tensor<4xf32>, tensor<4xf32>, tensor<f64>, tensor<f32>, tensor<f32>
  return %p1, %m1, %v1 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// What is no buffer of the program, as a rank's part of a parameter, is updated in a copy.
// CHECK-LABEL: func @updates_a_copy
// CHECK-SAME: (%[[P:[a-z0-9]*]]: tensor<4xf32>
func.func @updates_a_copy(%p: tensor<4xf32> {nxdt.buffer = @p}, %g: tensor<4xf32> {nxdt.buffer = @acc}, %lr: tensor<f64> {nxdt.buffer = @lr}, %s: tensor<f32> {nxdt.buffer = @s}) -> (tensor<4xf32> {nxdt.buffer = @out}) {
  // CHECK: %[[C:.*]] = nxdt.aten "aten::clone"(%[[P]], none)
  // CHECK: nxdt.aten "aten::sub_.Tensor"(%[[C]], %{{.*}}, 1) {mutates = array<i32: 0>}
  // CHECK: nxdt.aten "aten::copy_"(%{{.*}}, %[[C]], false)
  %p1 = nxdt.sgd %p, %g, %lr, %s, %s {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64} : (tensor<4xf32>, tensor<4xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<4xf32>
  return %p1 : tensor<4xf32>
}
