// RUN: nxdt-opt %s --verify-sharding --split-input-file | FileCheck %s

// Column-parallel, row-parallel, a reshard of the partial sum, a partial gradient, and the update of a part.
// CHECK-LABEL: func @train_step
// CHECK: nxdt.reshard
// CHECK-LABEL: func @update_step
#mesh = #nxdt.mesh<dp = 2, tp = 4>
!x = tensor<2x8x16xf32, #nxdt.sharding<#mesh, [[dp], [], []]>>
!h = tensor<2x8x64xf32, #nxdt.sharding<#mesh, [[dp], [], [tp]]>>
!p = tensor<2x8x16xf32, #nxdt.sharding<#mesh, [[dp], [], []], partial [tp]>>
!up = tensor<64x16xf32, #nxdt.sharding<#mesh, [[tp], []]>>
!down = tensor<16x64xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
!grad = tensor<64x16xf32, #nxdt.sharding<#mesh, [[tp], []], partial [dp]>>
!part = tensor<64x16xf32, #nxdt.sharding<#mesh, [[tp, dp], []]>>
!f32 = tensor<f32, #nxdt.sharding<#mesh, []>>
!sum = tensor<f32, #nxdt.sharding<#mesh, [], partial [dp, tp]>>
!f64 = tensor<f64, #nxdt.sharding<#mesh, []>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @x {role = "input"} : !x
  nxdt.buffer @up {role = "param"} : !up
  nxdt.buffer @up.grad {role = "grad", param = "up"} : !grad
  nxdt.buffer @up.reduced_grad {role = "reduced_grad", param = "up"} : !part
  nxdt.buffer @up.exp_avg {role = "opt_state", param = "up", state = "exp_avg"} : !part
  nxdt.buffer @up.exp_avg_sq {role = "opt_state", param = "up", state = "exp_avg_sq"} : !part
  nxdt.buffer @down {role = "param"} : !down
  nxdt.buffer @y {role = "scalar"} : !x
  nxdt.buffer @square {role = "scalar"} : !f32
  nxdt.buffer @scale {role = "scalar"} : !f32
  nxdt.buffer @step {role = "input"} : !f32
  nxdt.buffer @lr {role = "input"} : !f64
  nxdt.buffer @coordinate.tp {role = "coordinate", axes = [#nxdt.axis<tp:(1)4>]} : tensor<i64>
  func.func @train_step(%x: !x {nxdt.buffer = @x}, %up: !up {nxdt.buffer = @up}, %down: !down {nxdt.buffer = @down}, %g: !grad {nxdt.buffer = @up.grad}) -> (!x {nxdt.buffer = @y}, !grad {nxdt.buffer = @up.grad}) {
    %0 = nxdt.aten "aten::linear"(%x, %up, none) : (!x, !up) -> !h
    %1 = nxdt.aten "aten::relu"(%0) : (!h) -> !h
    %2 = nxdt.aten "aten::linear"(%1, %down, none) : (!h, !down) -> !p
    %3 = nxdt.aten "aten::mul.Scalar"(%2, 2.0) : (!p) -> !p
    %4 = nxdt.reshard %3 {reason = "sum"} : !p -> !x
    %5 = nxdt.weight_grad %1, %4 : !h, !x -> !grad
    %6 = nxdt.accumulate %g, %5 : !grad, !grad
    return %4, %6 : !x, !grad
  }
  func.func @begin_step() -> (!grad {nxdt.buffer = @up.grad}) {
    %0 = nxdt.aten "aten::full"(array<i64: 64, 16>, 0.0, f32, none, device, none) : () -> !grad
    return %0 : !grad
  }
  func.func @finish_step(%g: !grad {nxdt.buffer = @up.grad}) -> (!part {nxdt.buffer = @up.reduced_grad}, !f32 {nxdt.buffer = @square}) {
    %0 = nxdt.reshard %g {reason = "ZeRO-1"} : !grad -> !part
    %1 = nxdt.square_sum(%0) : (!part) -> !sum
    %2 = nxdt.reshard %1 {reason = "norm"} : !sum -> !f32
    return %0, %2 : !part, !f32
  }
  func.func @update_step(%p: !up {nxdt.buffer = @up}, %g: !part {nxdt.buffer = @up.reduced_grad}, %m: !part {nxdt.buffer = @up.exp_avg}, %v: !part {nxdt.buffer = @up.exp_avg_sq}, %lr: !f64 {nxdt.buffer = @lr}, %step: !f32 {nxdt.buffer = @step}, %scale: !f32 {nxdt.buffer = @scale})
      -> (!up {nxdt.buffer = @up}, !part {nxdt.buffer = @up.exp_avg}, !part {nxdt.buffer = @up.exp_avg_sq}) {
    %0 = nxdt.reshard %p {reason = "ZeRO-1"} : !up -> !part
    %p1, %m1, %v1 = nxdt.adamw %0, %g, %m, %v, %lr, %step, %scale {beta1 = 0.9 : f64, beta2 = 0.95 : f64, eps = 1.0e-8 : f64, weight_decay = 0.1 : f64, variant = "adamw", correct_bias = true} : !part, !part, !f64, !f32, !f32
    %1 = nxdt.reshard %p1 {reason = "ZeRO-1"} : !part -> !up
    return %1, %m1, %v1 : !up, !part, !part
  }
}

// -----

// Heads: a product of indices is split by its major one; a part of an axis may go to each.
// CHECK-LABEL: func @heads
#mesh = #nxdt.mesh<tp = 8>
!w = tensor<2x8x64xf32, #nxdt.sharding<#mesh, [[], [], [tp]]>>
!h = tensor<2x8x4x2x8xf32, #nxdt.sharding<#mesh, [[], [], [tp:(1)4], [tp:(4)2], []]>>
!s = tensor<2x8x4x8xf32, #nxdt.sharding<#mesh, [[], [], [tp:(1)4], []], partial [tp:(4)2]>>
module attributes {nxdt.mesh = #mesh} {
  nxdt.buffer @x {role = "input"} : !w
  nxdt.buffer @y {role = "scalar"} : !s
  func.func @heads(%x: !w {nxdt.buffer = @x}) -> (!s {nxdt.buffer = @y}) {
    %0 = nxdt.aten "aten::view"(%x, array<i64: 2, 8, 4, 2, 8>) : (!w) -> !h
    %1 = nxdt.aten "aten::sum.dim_IntList"(%0, array<i64: 3>, false, none) : (!h) -> !s
    return %1 : !s
  }
}
