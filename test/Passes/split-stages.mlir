// RUN: nxdt-opt %s --split-stages | FileCheck %s

#mesh = #nxdt.mesh<pp = 2>
module attributes {nxdt.mesh = #mesh, nxdt.pipeline = {chunks_per_stage = 1 : i64, micro_batches = 4 : i64, origin = "a.yaml:1:1: pp = 2"}} {

// The tied weight lies on both stages, each layer's on one.
nxdt.buffer @embed.weight {role = "param"} : tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @embed.weight.grad {role = "grad", param = "embed.weight"} : tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @layers.0.weight {role = "param"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @layers.0.weight.grad {role = "grad", param = "layers.0.weight"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @layers.1.weight {role = "param"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @layers.1.weight.grad {role = "grad", param = "layers.1.weight"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
nxdt.buffer @input_ids {role = "input"} : tensor<2xi64, #nxdt.sharding<#mesh, [[]]>>
nxdt.buffer @loss_sum {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>
nxdt.buffer @grad_norm {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, []>>

// A stage squares its own gradients: the copy of the tied weight's does not count.
// CHECK-LABEL: func.func @finish_step.s0(
// CHECK-SAME: nxdt.program = "finish_step", nxdt.stage = 0
// CHECK: nxdt.square_sum(%arg0, %arg1) :
// CHECK-LABEL: func.func @finish_step.s1(
// CHECK-NOT: embed.weight.grad
// CHECK: nxdt.square_sum(%{{[^,]*}}) : {{.*}}-partial-pp>
func.func @finish_step(%a: tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @embed.weight.grad}, %b: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.0.weight.grad}, %c: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.1.weight.grad}) -> (tensor<f32, #nxdt.sharding<#mesh, []>> {nxdt.buffer = @grad_norm}) {
  %0 = nxdt.square_sum(%a, %b, %c) : (tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>
  %1 = nxdt.reshard %0 {reason = "norm"} : tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>> -> tensor<f32, #nxdt.sharding<#mesh, []>>
  return %1 : tensor<f32, #nxdt.sharding<#mesh, []>>
}

// One tensor crosses the border in each direction: not what is made of it on the other side.
// CHECK: nxdt.buffer @act[[$X:[0-9]+]].1 {role = "carry"} : tensor<2x4xf32
// CHECK: nxdt.channel @"act[[$X]].0-1" from 0 @act[[$X]].0 to 1 @act[[$X]].1 {after = "forward.0", before = "forward.1", reason = "result of layers.0 for chunk 1 [a.yaml:1:1: pp = 2]"}
// CHECK: nxdt.channel @"grad[[$G:[0-9]+]].1-0" from 1 @grad[[$G]].1 to 0 @grad[[$G]].0 {after = "backward.1", before = "backward.0"
// CHECK-NOT: nxdt.channel @"{{(act|grad)}}

// CHECK-LABEL: func.func @forward.0(
// CHECK-SAME: -> ({{.*}}nxdt.buffer = @act[[$X]].0
// CHECK-SAME: nxdt.stage = 0
// CHECK: aten::embedding
// CHECK: aten::linear
// CHECK-NOT: aten::linear
// What was received dies where nobody needs it any more; what the backward needs is left for it.
// CHECK-LABEL: func.func @forward.1(
// CHECK-SAME: {nxdt.buffer = @act[[$X]].1, nxdt.dies}
// CHECK: aten::relu
// CHECK: aten::linear
// CHECK: nxdt.stage_term
// CHECK-LABEL: func.func @backward.1(
// CHECK-SAME: {nxdt.buffer = @act{{[0-9]+}}.1, nxdt.dies}
// CHECK-LABEL: func.func @backward.0(
// CHECK-SAME: {nxdt.buffer = @grad[[$G]].0, nxdt.dies}

// CHECK-LABEL: func.func @export_shared_grads.s1(
// CHECK: aten::clone
// CHECK-LABEL: func.func @import_shared_grads.s0(
// CHECK: nxdt.accumulate
// CHECK-LABEL: func.func @export_shared_params.s0(
// CHECK-LABEL: func.func @import_shared_params.s1(
func.func @train_step(%ids: tensor<2xi64, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @input_ids}, %e: tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @embed.weight}, %w0: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.0.weight}, %w1: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.1.weight}, %loss: tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>> {nxdt.buffer = @loss_sum}, %ge: tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @embed.weight.grad}, %g0: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.0.weight.grad}, %g1: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.1.weight.grad}) -> (tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>> {nxdt.buffer = @loss_sum}, tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @embed.weight.grad}, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.0.weight.grad}, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> {nxdt.buffer = @layers.1.weight.grad}) {
  %x = nxdt.aten "aten::embedding"(%e, %ids, -1, false, false) : (tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<2xi64, #nxdt.sharding<#mesh, [[]]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("embed")
  %h = nxdt.aten "aten::linear"(%x, %w0, none) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.0")
  %r = nxdt.aten "aten::relu"(%h) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1")
  %y = nxdt.aten "aten::linear"(%r, %w1, none) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1")
  %z = nxdt.aten "aten::linear"(%y, %e, none) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>> loc("head")
  %s = nxdt.aten "aten::sum"(%z, none) : (tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<f32, #nxdt.sharding<#mesh, []>>
  %t = nxdt.stage_term %s : tensor<f32, #nxdt.sharding<#mesh, []>> -> tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>
  %l = nxdt.accumulate %loss, %t : tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>, tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>
  %dz = nxdt.aten "aten::sigmoid"(%z) : (tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>> loc("head^")
  %dzt = nxdt.aten "aten::t"(%dz) : (tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<8x2xf32, #nxdt.sharding<#mesh, [[], []]>> loc("head^")
  %de = nxdt.aten "aten::mm"(%dzt, %y) : (tensor<8x2xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("head^")
  %ge1 = nxdt.accumulate %ge, %de : tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>
  %dy = nxdt.aten "aten::mm"(%dz, %e) : (tensor<2x8xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("head^")
  %dyt = nxdt.aten "aten::t"(%dy) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<4x2xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1^")
  %d1 = nxdt.aten "aten::mm"(%dyt, %r) : (tensor<4x2xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1^")
  %g1n = nxdt.accumulate %g1, %d1 : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
  %dr = nxdt.aten "aten::mm"(%dy, %w1) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1^")
  %dh = nxdt.aten "aten::mul.Tensor"(%dr, %r) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.1^")
  %dht = nxdt.aten "aten::t"(%dh) : (tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<4x2xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.0^")
  %d0 = nxdt.aten "aten::mm"(%dht, %x) : (tensor<4x2xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<2x4xf32, #nxdt.sharding<#mesh, [[], []]>>) -> tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>> loc("layers.0^")
  %g0n = nxdt.accumulate %g0, %d0 : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
  return %l, %ge1, %g0n, %g1n : tensor<f32, #nxdt.sharding<#mesh, [], partial [pp]>>, tensor<8x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], []]>>
}
}
