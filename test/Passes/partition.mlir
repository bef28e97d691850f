// RUN: nxdt-opt %s --apply-strategy --partition --split-input-file | FileCheck %s

// A column-parallel layer needs nothing, a row-parallel one a sum; the bias is added once, after it.
// CHECK-LABEL: func @train_step
// CHECK: %[[H:.*]] = nxdt.aten "aten::linear"(%{{.*}}, none) {{.*}} -> tensor<2x8x64xf32, #_-_-tp>
// CHECK: %[[R:.*]] = nxdt.aten "aten::relu"(%[[H]])
// CHECK: %[[P:.*]] = nxdt.aten "aten::linear"(%[[R]], %{{.*}}, none) {{.*}} -> tensor<2x8x16xf32, #_-_-_-partial-tp>
// CHECK: %[[S:.*]] = nxdt.reshard %[[P]] {reason = "sum of aten::linear of down for aten::add.Tensor of down [tp]"} : {{.*}}-partial-tp> -> tensor<2x8x16xf32, #_-_-_>
// CHECK: nxdt.aten "aten::add.Tensor"(%[[S]], %{{.*}}, 1)
// CHECK-NOT: nxdt.reshard
module attributes {nxdt.mesh = #nxdt.mesh<dp = 1, tp = 4>, nxdt.sharding_rules = [{pattern = "up", dims = [["tp"], []]}, {pattern = "down", dims = [[], ["tp"]]}]} {
  nxdt.buffer @up {role = "param"} : tensor<64x16xf32>
  nxdt.buffer @down {role = "param"} : tensor<16x64xf32>
  nxdt.buffer @bias {role = "param"} : tensor<16xf32>
  nxdt.buffer @x {role = "input"} : tensor<2x8x16xf32>
  nxdt.buffer @y {role = "scalar"} : tensor<2x8x16xf32>
  func.func @train_step(%up: tensor<64x16xf32> {nxdt.buffer = @up}, %down: tensor<16x64xf32> {nxdt.buffer = @down}, %b: tensor<16xf32> {nxdt.buffer = @bias}, %x: tensor<2x8x16xf32> {nxdt.buffer = @x}) -> (tensor<2x8x16xf32> {nxdt.buffer = @y}) {
    %0 = nxdt.aten "aten::linear"(%x, %up, none) : (tensor<2x8x16xf32>, tensor<64x16xf32>) -> tensor<2x8x64xf32>
    %1 = nxdt.aten "aten::relu"(%0) : (tensor<2x8x64xf32>) -> tensor<2x8x64xf32>
    %2 = nxdt.aten "aten::linear"(%1, %down, %b) : (tensor<2x8x64xf32>, tensor<16x64xf32>, tensor<16xf32>) -> tensor<2x8x16xf32> loc("down")
    return %2 : tensor<2x8x16xf32>
  }
}

// -----

// sequence_parallel: the sum is left split along the sequence, and gathered before the next column-parallel layer; a
// value that is gathered in the forward is gathered once more in the backward.
// CHECK-LABEL: func @train_step
// CHECK: %[[P:.*]] = nxdt.aten "aten::linear"
// CHECK: %[[S:.*]] = nxdt.reshard %[[P]] {reason = "{{.*}} [tp] [sequence_parallel]"} {{.*}}-partial-tp> -> tensor<2x8x16xf32, #dp-tp-_>
// CHECK: %[[N:.*]] = nxdt.aten "aten::exp"(%[[S]])
// CHECK: %[[G:.*]] = nxdt.reshard %[[N]] {{.*}} -> tensor<2x8x16xf32, #dp-_-_>
// CHECK: %[[U:.*]] = nxdt.aten "aten::linear"(%[[G]], %{{.*}}, none)
// CHECK: %[[B:.*]] = nxdt.reshard %[[N]] {{.*}} -> tensor<2x8x16xf32, #dp-_-_>
// CHECK: nxdt.weight_grad %[[U]], %[[B]] {{.*}} -> tensor<64x16xf32, #tp-_-partial-dp>
module attributes {nxdt.mesh = #nxdt.mesh<dp = 2, tp = 4>, nxdt.strategy = {sequence_parallel = true}, nxdt.sharding_rules = [{pattern = "up", dims = [["tp"], []]}, {pattern = "down", dims = [[], ["tp"]]}]} {
  nxdt.buffer @up {role = "param"} : tensor<64x16xf32>
  nxdt.buffer @up.grad {role = "grad", param = "up"} : tensor<64x16xf32>
  nxdt.buffer @down {role = "param"} : tensor<16x64xf32>
  nxdt.buffer @x {role = "input"} : tensor<2x8x64xf32>
  func.func @train_step(%up: tensor<64x16xf32> {nxdt.buffer = @up}, %down: tensor<16x64xf32> {nxdt.buffer = @down}, %x: tensor<2x8x64xf32> {nxdt.buffer = @x}, %g: tensor<64x16xf32> {nxdt.buffer = @up.grad}) -> (tensor<64x16xf32> {nxdt.buffer = @up.grad}) {
    %0 = nxdt.aten "aten::linear"(%x, %down, none) : (tensor<2x8x64xf32>, tensor<16x64xf32>) -> tensor<2x8x16xf32>
    %1 = nxdt.aten "aten::exp"(%0) : (tensor<2x8x16xf32>) -> tensor<2x8x16xf32>
    %2 = nxdt.aten "aten::linear"(%1, %up, none) : (tensor<2x8x16xf32>, tensor<64x16xf32>) -> tensor<2x8x64xf32>
    %3 = nxdt.weight_grad %2, %1 : tensor<2x8x64xf32>, tensor<2x8x16xf32> -> tensor<64x16xf32> loc("up^")
    %4 = nxdt.accumulate %g, %3 : tensor<64x16xf32>, tensor<64x16xf32>
    return %4 : tensor<64x16xf32>
  }
}

// -----

// ZeRO-1: the accumulator is a partial sum over dp; finish_step scatters it to where the optimizer state lies, the
// update works on that part, and the new parameter is gathered.
// CHECK: nxdt.buffer @w.grad {{.*}} : tensor<8x4xf32, #_-_-partial-dp>
// CHECK: nxdt.buffer @w.reduced_grad {param = "w", role = "reduced_grad"} : tensor<8x4xf32, #dp-_>
// CHECK-LABEL: func @finish_step
// CHECK: %[[R:.*]] = nxdt.reshard %{{.*}} {reason = "gradient of w, once per step [trainer.devices = 2 (a.yaml:1:1)] [zero1]"} : {{.*}}-partial-dp> -> tensor<8x4xf32, #dp-_>
// CHECK: %[[Q:.*]] = nxdt.square_sum(%[[R]]) {{.*}} -> tensor<f32, #scalar-partial-dp>
// CHECK: nxdt.reshard %[[Q]] {{.*}} -> tensor<f32, #scalar>
// CHECK-LABEL: func @update_step
// CHECK-SAME: {nxdt.buffer = @w.reduced_grad}
// CHECK: %[[W:.*]] = nxdt.reshard %{{.*}} {{.*}} -> tensor<8x4xf32, #dp-_>
// CHECK: %[[U:.*]] = nxdt.sgd %[[W]]
// CHECK: nxdt.reshard %[[U]] {reason = "new value of w, once per step [trainer.devices = 2 (a.yaml:1:1)] [zero1]"} {{.*}} -> tensor<8x4xf32, #_-_>
module attributes {nxdt.mesh = #nxdt.mesh<dp = 2, tp = 1>, nxdt.strategy = {zero1 = true, origins = {dp = "trainer.devices = 2 (a.yaml:1:1)"}}} {
  nxdt.buffer @w {role = "param"} : tensor<8x4xf32>
  nxdt.buffer @w.grad {role = "grad", param = "w"} : tensor<8x4xf32>
  nxdt.buffer @x {role = "input"} : tensor<2x4xf32>
  nxdt.buffer @lr {role = "input"} : tensor<f64>
  nxdt.buffer @step {role = "input"} : tensor<f32>
  nxdt.buffer @norm {role = "scalar"} : tensor<f32>
  func.func @train_step(%w: tensor<8x4xf32> {nxdt.buffer = @w}, %x: tensor<2x4xf32> {nxdt.buffer = @x}, %g: tensor<8x4xf32> {nxdt.buffer = @w.grad}) -> (tensor<8x4xf32> {nxdt.buffer = @w.grad}) {
    %0 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<2x4xf32>, tensor<8x4xf32>) -> tensor<2x8xf32>
    %1 = nxdt.weight_grad %0, %x : tensor<2x8xf32>, tensor<2x4xf32> -> tensor<8x4xf32>
    %2 = nxdt.accumulate %g, %1 : tensor<8x4xf32>, tensor<8x4xf32>
    return %2 : tensor<8x4xf32>
  }
  func.func @finish_step(%g: tensor<8x4xf32> {nxdt.buffer = @w.grad}) -> (tensor<f32> {nxdt.buffer = @norm}) {
    %0 = nxdt.global_norm(%g) : (tensor<8x4xf32>) -> tensor<f32>
    return %0 : tensor<f32>
  }
  func.func @update_step(%w: tensor<8x4xf32> {nxdt.buffer = @w}, %g: tensor<8x4xf32> {nxdt.buffer = @w.grad}, %lr: tensor<f64> {nxdt.buffer = @lr}, %step: tensor<f32> {nxdt.buffer = @step}) -> (tensor<8x4xf32> {nxdt.buffer = @w}) {
    %0 = nxdt.sgd %w, %g, %lr, %step, %step {momentum = 0.0 : f64, dampening = 0.0 : f64, nesterov = false, weight_decay = 0.0 : f64} : (tensor<8x4xf32>, tensor<8x4xf32>, tensor<f64>, tensor<f32>, tensor<f32>) -> tensor<8x4xf32>
    return %0 : tensor<8x4xf32>
  }
}

// -----

// Vocabulary-parallel: the table's rows are another rank's for most tokens, the loss is written out over split classes
// and its sum is put off to the end of the step; its gradient needs no sum.
// CHECK-LABEL: func @train_step
// CHECK: nxdt.aten "aten::embedding"{{.*}}-partial-tp>
// CHECK: nxdt.aten "aten::linear"{{.*}} -> tensor<1x4x10xf32, #_-_-tp>
// CHECK: %[[M:.*]] = nxdt.aten "aten::amax"{{.*}}-partial_max-tp>
// CHECK: nxdt.reshard %[[M]] {reason = "maximum of
// CHECK: nxdt.reshard %{{.*}} {reason = "classes of this rank"}
// CHECK: nxdt.aten "aten::sum"{{.*}} -> tensor<f32, #scalar-partial-tp>
// CHECK-NOT: nxdt.cross_entropy
// CHECK: nxdt.accumulate {{.*}} : tensor<f64, #scalar-partial-tp>, tensor<f32, #scalar-partial-tp>
module attributes {nxdt.mesh = #nxdt.mesh<dp = 1, tp = 4>, nxdt.sharding_rules = [{pattern = "table", dims = [["tp"], []]}]} {
  nxdt.buffer @table {role = "param"} : tensor<10x16xf32>
  nxdt.buffer @ids {role = "input"} : tensor<1x4xi64>
  nxdt.buffer @targets {role = "input"} : tensor<1x4xi64>
  nxdt.buffer @loss {role = "scalar"} : tensor<f64>
  func.func @train_step(%t: tensor<10x16xf32> {nxdt.buffer = @table}, %ids: tensor<1x4xi64> {nxdt.buffer = @ids}, %targets: tensor<1x4xi64> {nxdt.buffer = @targets}, %acc: tensor<f64> {nxdt.buffer = @loss}) -> (tensor<f64> {nxdt.buffer = @loss}) {
    %0 = nxdt.aten "aten::embedding"(%t, %ids, -1, false, false) : (tensor<10x16xf32>, tensor<1x4xi64>) -> tensor<1x4x16xf32>
    %1 = nxdt.aten "aten::linear"(%0, %t, none) : (tensor<1x4x16xf32>, tensor<10x16xf32>) -> tensor<1x4x10xf32>
    %s, %c, %p = nxdt.cross_entropy %1, %targets {ignore_index = -100 : i64} : tensor<1x4x10xf32>, tensor<1x4xi64> -> tensor<f32>, tensor<i64>, tensor<1x4x10xf32>
    %2 = nxdt.accumulate %acc, %s : tensor<f64>, tensor<f32>
    return %2 : tensor<f64>
  }
}

// -----

// Fewer key/value heads than ranks: heads of queries split over all of tp, of keys over a part; the gradient of a key
// is a sum over the ranks that share it.
// CHECK-LABEL: func @train_step
// CHECK: nxdt.sdpa {{.*}}#_-tp-_-_>, tensor<1x2x4x4xf32, #_-tp$1$2-_-_>
// CHECK: nxdt.sdpa_backward {{.*}} -> (tensor<1x8x4x4xf32, #_-tp-_-_>, tensor<1x2x4x4xf32, #_-tp$1$2-_-_-partial-tp$2$2>
module attributes {nxdt.mesh = #nxdt.mesh<dp = 1, tp = 4>, nxdt.sharding_rules = [{pattern = "q", dims = [[], ["tp"], [], []]}, {pattern = "[kv]", dims = [[], [#nxdt.axis<tp:(1)2>], [], []]}]} {
  nxdt.buffer @q {role = "param"} : tensor<1x8x4x4xf32>
  nxdt.buffer @k {role = "param"} : tensor<1x2x4x4xf32>
  nxdt.buffer @v {role = "param"} : tensor<1x2x4x4xf32>
  nxdt.buffer @k.grad {role = "grad", param = "k"} : tensor<1x2x4x4xf32>
  func.func @train_step(%q: tensor<1x8x4x4xf32> {nxdt.buffer = @q}, %k: tensor<1x2x4x4xf32> {nxdt.buffer = @k}, %v: tensor<1x2x4x4xf32> {nxdt.buffer = @v}, %g: tensor<1x2x4x4xf32> {nxdt.buffer = @k.grad}) -> (tensor<1x2x4x4xf32> {nxdt.buffer = @k.grad}) {
    %o, %lse = nxdt.sdpa %q, %k, %v {causal = true, scale = 0.5 : f64} : tensor<1x8x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x8x4x4xf32>, tensor<1x8x4xf32>
    %dq, %dk, %dv = nxdt.sdpa_backward %o, %q, %k, %v, %o, %lse {causal = true, scale = 0.5 : f64} : (tensor<1x8x4x4xf32>, tensor<1x8x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x8x4x4xf32>, tensor<1x8x4xf32>) -> (tensor<1x8x4x4xf32>, tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>)
    %0 = nxdt.accumulate %g, %dk : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
    return %0 : tensor<1x2x4x4xf32>
  }
}

// -----

// A sum that becomes wider is summed before that, and once for all its uses; a gradient's cast is not waited for.
// CHECK-LABEL: func @train_step
// CHECK: %[[P:.*]] = nxdt.aten "aten::linear"{{.*}}-partial-tp>
// CHECK: %[[S:.*]] = nxdt.reshard %[[P]]
// CHECK: nxdt.aten "aten::to.dtype"(%[[S]],
// CHECK: nxdt.aten "aten::add.Tensor"(%[[S]],
// CHECK: %[[G:.*]] = nxdt.weight_grad {{.*}}-partial-dp>
// CHECK-NOT: nxdt.reshard
// CHECK: nxdt.aten "aten::to.dtype"(%[[G]], {{.*}}-partial-dp>
// CHECK-NEXT: nxdt.accumulate
module attributes {nxdt.mesh = #nxdt.mesh<dp = 2, tp = 4>, nxdt.sharding_rules = [{pattern = "w", dims = [[], ["tp"]]}]} {
  nxdt.buffer @w {role = "param"} : tensor<16x64xbf16>
  nxdt.buffer @w.grad {role = "grad", param = "w"} : tensor<16x64xf32>
  nxdt.buffer @x {role = "input"} : tensor<2x8x64xbf16>
  nxdt.buffer @wide {role = "scalar"} : tensor<2x8x16xf32>
  nxdt.buffer @narrow {role = "scalar"} : tensor<2x8x16xbf16>
  func.func @train_step(%w: tensor<16x64xbf16> {nxdt.buffer = @w}, %x: tensor<2x8x64xbf16> {nxdt.buffer = @x}, %g: tensor<16x64xf32> {nxdt.buffer = @w.grad}) -> (tensor<2x8x16xf32> {nxdt.buffer = @wide}, tensor<2x8x16xbf16> {nxdt.buffer = @narrow}, tensor<16x64xf32> {nxdt.buffer = @w.grad}) {
    %0 = nxdt.aten "aten::linear"(%x, %w, none) : (tensor<2x8x64xbf16>, tensor<16x64xbf16>) -> tensor<2x8x16xbf16>
    %1 = nxdt.aten "aten::to.dtype"(%0, f32, false, false, none) : (tensor<2x8x16xbf16>) -> tensor<2x8x16xf32>
    %2 = nxdt.aten "aten::exp"(%1) : (tensor<2x8x16xf32>) -> tensor<2x8x16xf32>
    %3 = nxdt.aten "aten::add.Tensor"(%0, %0, 1) : (tensor<2x8x16xbf16>, tensor<2x8x16xbf16>) -> tensor<2x8x16xbf16>
    %4 = nxdt.weight_grad %3, %x : tensor<2x8x16xbf16>, tensor<2x8x64xbf16> -> tensor<16x64xbf16> loc("w^")
    %5 = nxdt.aten "aten::to.dtype"(%4, f32, false, false, none) : (tensor<16x64xbf16>) -> tensor<16x64xf32> loc("w^")
    %6 = nxdt.accumulate %g, %5 : tensor<16x64xf32>, tensor<16x64xf32>
    return %2, %3, %6 : tensor<2x8x16xf32>, tensor<2x8x16xbf16>, tensor<16x64xf32>
  }
}
