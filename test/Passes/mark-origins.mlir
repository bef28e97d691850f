// RUN: nxdt-opt %s --mark-origins | FileCheck %s
// RUN: nxdt-opt %s --mark-origins --lower-to-spmd --lower-to-aten | FileCheck %s --check-prefix=LOCAL

#mesh = #nxdt.mesh<tp = 2>
nxdt.buffer @w {role = "scalar"} : tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>
nxdt.buffer @y {role = "scalar"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
nxdt.buffer @n {role = "scalar"} : tensor<f32, #nxdt.sharding<#mesh, []>>

// Numbers count all ops; what is left in a buffer says in which.
// CHECK-LABEL: func @f
// CHECK-SAME: attributes {nxdt.origin = "f"}
// CHECK: nxdt.aten "aten::exp"(%{{.*}}) {nxdt.origin = ["f#0.0"]}
// CHECK: nxdt.reshard %{{.*}} {nxdt.origin = ["f#1.0>y"]
// CHECK: nxdt.square_sum(%{{.*}}) {nxdt.origin = ["f#2.0"]}
// CHECK: nxdt.reshard %{{.*}} {nxdt.origin = ["f#3.0>n"]

// A reshard's result is still the value that it moves; a typed op's name goes to the call that gives its value.
// LOCAL-LABEL: func @f
// LOCAL: nxdt.aten "aten::exp"(%{{.*}}) {nxdt.origin = ["f#0.0"], nxdt.whole_type = [tensor<8xf32, #tp>]}
// LOCAL: nxdt.all_gather %{{.*}} {{.*}}nxdt.origin = ["f#0.0"], nxdt.whole_type = [tensor<8xf32, #_>]
// LOCAL: nxdt.aten "aten::linalg_vector_norm"({{.*}}) :
// LOCAL: nxdt.aten "aten::sum"(%{{.*}}) {nxdt.origin = ["f#2.0"], nxdt.whole_type = [tensor<f32, #scalar-partial-tp>]}
// LOCAL: nxdt.all_reduce %{{.*}} nxdt.origin = ["f#2.0"], nxdt.whole_type = [tensor<f32, #scalar>]
func.func @f(%w: tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @w}) -> (tensor<8xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @y}, tensor<f32, #nxdt.sharding<#mesh, []>> {nxdt.buffer = @n}) {
  %0 = nxdt.aten "aten::exp"(%w) : (tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>
  %1 = nxdt.reshard %0 {reason = "whole"} : tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
  %2 = nxdt.square_sum(%0) : (tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>>
  %3 = nxdt.reshard %2 {reason = "sum"} : tensor<f32, #nxdt.sharding<#mesh, [], partial [tp]>> -> tensor<f32, #nxdt.sharding<#mesh, []>>
  return %1, %3 : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>, tensor<f32, #nxdt.sharding<#mesh, []>>
}

// What a buffer holds at the beginning has a name too, once it is moved.
// LOCAL-LABEL: func @g
// LOCAL: nxdt.all_gather %{{.*}} nxdt.origin = ["g@w"]
func.func @g(%w: tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @w}) -> (tensor<8xf32, #nxdt.sharding<#mesh, [[]]>> {nxdt.buffer = @y}) {
  %0 = nxdt.reshard %w {reason = "whole"} : tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
  return %0 : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>
}
