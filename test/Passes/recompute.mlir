// RUN: nxdt-opt %s --recompute --cse --split-input-file | FileCheck %s

// The backward of a layer computes again what the layer computed, from what it was given; what a layer of the same
// pattern needs is apart; merging equal ops does not undo it.
// CHECK-LABEL: func @train_step
// CHECK: %[[A:.*]] = nxdt.aten "aten::exp"(%[[X:.*]]) :
// CHECK: %[[B:.*]] = nxdt.aten "aten::sin"(%[[A]]) :
// CHECK: %[[C:.*]] = nxdt.aten "aten::exp"(%[[B]]) :
// CHECK: %[[D:.*]] = nxdt.aten "aten::cos"(%[[C]]) :
// CHECK: %[[C2:.*]] = nxdt.aten "aten::exp"(%[[B]]) {recomputed}
// CHECK: %[[E:.*]] = nxdt.aten "aten::mul.Tensor"(%[[D]], %[[C2]])
// CHECK: %[[A2:.*]] = nxdt.aten "aten::exp"(%[[X]]) {recomputed}
// CHECK: nxdt.aten "aten::mul.Tensor"(%[[E]], %[[A2]])
module attributes {nxdt.recompute = ["layers.*"]} {
  nxdt.buffer @x {role = "input"} : tensor<4xf32>
  nxdt.buffer @y {role = "scalar"} : tensor<4xf32>
  func.func @train_step(%x: tensor<4xf32> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @y}) {
    %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("layers.0.mlp")
    %1 = nxdt.aten "aten::sin"(%0) : (tensor<4xf32>) -> tensor<4xf32> loc("between")
    %2 = nxdt.aten "aten::exp"(%1) : (tensor<4xf32>) -> tensor<4xf32> loc("layers.1.mlp")
    %3 = nxdt.aten "aten::cos"(%2) : (tensor<4xf32>) -> tensor<4xf32> loc("loss")
    %4 = nxdt.aten "aten::mul.Tensor"(%3, %2) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("layers.1.mlp^")
    %5 = nxdt.aten "aten::mul.Tensor"(%4, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("layers.0.mlp^")
    return %5 : tensor<4xf32>
  }
}

// -----

// No collective is run twice. What the forward summed is kept; a gather that the backward does anyway is done earlier
// there, on the recomputed value, and serves both.
#mesh = #nxdt.mesh<tp = 2>
// CHECK-LABEL: func @train_step
// CHECK: %[[S:.*]] = nxdt.reshard %{{.*}} {reason = "sum"}
// CHECK: %[[E:.*]] = nxdt.aten "aten::exp"(%[[S]]) :
// CHECK: nxdt.reshard %[[E]] {reason = "forward"}
// CHECK-NOT: {reason = "sum"}
// CHECK: %[[E2:.*]] = nxdt.aten "aten::exp"(%[[S]]) {recomputed}
// CHECK: %[[G:.*]] = nxdt.reshard %[[E2]] {reason = "backward"}
// CHECK: %[[N:.*]] = nxdt.aten "aten::sin"(%[[G]]) {recomputed}
// CHECK: nxdt.aten "aten::mul.Tensor"(%[[N]], %[[G]])
// CHECK-NOT: nxdt.reshard
module attributes {nxdt.recompute = ["layers.0"], nxdt.mesh = #mesh} {
  nxdt.buffer @x {role = "scalar"} : tensor<4xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>
  nxdt.buffer @y {role = "scalar"} : tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>
  func.func @train_step(%x: tensor<4xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>> {nxdt.buffer = @x}) -> (tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @y}, tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @y}) {
    %0 = nxdt.reshard %x {reason = "sum"} : tensor<4xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>> -> tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>> loc("layers.0")
    %1 = nxdt.aten "aten::exp"(%0) : (tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>> loc("layers.0")
    %2 = nxdt.reshard %1 {reason = "forward"} : tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> loc("layers.0")
    %3 = nxdt.aten "aten::sin"(%2) : (tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>) -> tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> loc("layers.0")
    %4 = nxdt.aten "aten::cos"(%3) : (tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>) -> tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> loc("loss")
    %5 = nxdt.reshard %1 {reason = "backward"} : tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> loc("layers.0^")
    %6 = nxdt.aten "aten::mul.Tensor"(%3, %5) : (tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>, tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>) -> tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> loc("layers.0^")
    return %4, %6 : tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>, tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>
  }
}
