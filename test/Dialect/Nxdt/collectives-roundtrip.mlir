// RUN: nxdt-opt %s --verify-roundtrip | FileCheck %s

#mesh = #nxdt.mesh<dp = 2, tp = 4>

// CHECK-LABEL: func @reshard
func.func @reshard(%a: tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>) {
  // CHECK: nxdt.reshard %{{.*}} {reason = "why"} : {{.*}}#_-partial-tp> -> tensor<8xf32, #tp>
  %0 = nxdt.reshard %a {reason = "why"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>> -> tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>
  return
}

// CHECK-LABEL: func @collectives
func.func @collectives(%a: tensor<8xf32>) {
  // CHECK: nxdt.all_reduce %{{.*}} {axes = [#nxdt.axis<tp:(1)4>], reason = "why", reduction = "max"} : tensor<8xf32> -> tensor<8xf32>
  %0 = nxdt.all_reduce %a {axes = [#nxdt.axis<tp:(1)4>], reduction = "max", reason = "why"} : tensor<8xf32> -> tensor<8xf32>
  // CHECK: nxdt.all_gather %{{.*}} : tensor<8xf32> -> tensor<64xf32>
  %1 = nxdt.all_gather %a {axes = [#nxdt.axis<tp:(1)4>, #nxdt.axis<dp:(1)2>], dim = 0, reason = "why"} : tensor<8xf32> -> tensor<64xf32>
  // CHECK: nxdt.reduce_scatter %{{.*}} : tensor<8xf32> -> tensor<4xf32>
  %2 = nxdt.reduce_scatter %a {axes = [#nxdt.axis<tp:(2)2>], dim = 0, reduction = "sum", reason = "why"} : tensor<8xf32> -> tensor<4xf32>
  // CHECK: nxdt.all_slice %{{.*}} : tensor<8xf32> -> tensor<2xf32>
  %3 = nxdt.all_slice %a {axes = [#nxdt.axis<tp:(1)4>], dim = 0, reason = "why"} : tensor<8xf32> -> tensor<2xf32>
  return
}
