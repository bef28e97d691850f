// RUN: nxdt-opt %s --verify-roundtrip | FileCheck %s

// CHECK-LABEL: func @collectives
func.func @collectives(%a: tensor<8xf32>, %b: tensor<4x2xf32>) {
  // CHECK: %[[P:.*]] = nxdt.all_reduce_start %{{.*}}, %{{.*}} {axes = [#nxdt.axis<dp:(1)2>], modules = ["a", "b"], reason = "bucket of 2: why a", reasons = ["why a", "why b"], reduction = "sum"} : (tensor<8xf32>, tensor<4x2xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<4x2xf32>>
  %p = nxdt.all_reduce_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], modules = ["a", "b"], reason = "bucket of 2: why a", reasons = ["why a", "why b"], reduction = "sum"}
      : (tensor<8xf32>, tensor<4x2xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<4x2xf32>>
  // CHECK: nxdt.wait %[[P]] : !nxdt.pending<tensor<8xf32>, tensor<4x2xf32>> -> tensor<8xf32>, tensor<4x2xf32>
  %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<4x2xf32>> -> tensor<8xf32>, tensor<4x2xf32>
  // CHECK: nxdt.all_gather_start %{{.*}} : (tensor<4x2xf32>) -> !nxdt.pending<tensor<4x8xf32>>
  %q = nxdt.all_gather_start %b {axes = [#nxdt.axis<tp:(1)4>], dim = 1, reason = "why"} : (tensor<4x2xf32>) -> !nxdt.pending<tensor<4x8xf32>>
  // CHECK: nxdt.reduce_scatter_start %{{.*}} : (tensor<8xf32>) -> !nxdt.pending<tensor<4xf32>>
  %r = nxdt.reduce_scatter_start %a {axes = [#nxdt.axis<tp:(1)2>], dim = 0, reduction = "max", reason = "why"} : (tensor<8xf32>) -> !nxdt.pending<tensor<4xf32>>
  %1 = nxdt.wait %q : !nxdt.pending<tensor<4x8xf32>> -> tensor<4x8xf32>
  %2 = nxdt.wait %r : !nxdt.pending<tensor<4xf32>> -> tensor<4xf32>
  return
}
