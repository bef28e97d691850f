// RUN: nxdt-opt %s --overlap-collectives --split-input-file | FileCheck %s

// What the sum does not need runs beside it; what needs it comes behind the wait.
// CHECK-LABEL: func @backward
// CHECK: %[[DX:.*]] = nxdt.aten "aten::matmul"
// CHECK-NEXT: %[[P:.*]] = nxdt.all_reduce_start %[[DX]]
// CHECK-NEXT: nxdt.weight_grad
// CHECK-NEXT: nxdt.accumulate
// CHECK-NEXT: %[[SUM:.*]] = nxdt.wait %[[P]]
// CHECK-NEXT: nxdt.aten "aten::neg"(%[[SUM]])
func.func @backward(%dy: tensor<8x4xf32>, %x: tensor<8x2xf32>, %w: tensor<4x2xf32>, %g: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<8x2xf32>) {
  %dw = nxdt.weight_grad %dy, %x : tensor<8x4xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
  %acc = nxdt.accumulate %g, %dw : tensor<4x2xf32>, tensor<4x2xf32>
  %dx = nxdt.aten "aten::matmul"(%dy, %w) : (tensor<8x4xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
  %0 = nxdt.all_reduce %dx {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "r"} : tensor<8x2xf32> -> tensor<8x2xf32>
  %1 = nxdt.aten "aten::neg"(%0) : (tensor<8x2xf32>) -> tensor<8x2xf32>
  return %acc, %1 : tensor<4x2xf32>, tensor<8x2xf32>
}

// -----

// An op goes behind one start only: the product goes behind the first, not behind the second, which nothing runs beside
// and so stays one op. What takes no time stays where it is: @light has nothing to run beside.
// CHECK-LABEL: func @once
// CHECK: nxdt.all_reduce_start %{{.*}} {{.*}} reason = "first"
// CHECK-NEXT: nxdt.aten "aten::matmul"
// CHECK-NEXT: nxdt.wait
// CHECK-NEXT: %[[N:.*]] = nxdt.aten "aten::neg"
// CHECK-NEXT: %[[S:.*]] = nxdt.all_reduce %[[N]] {{.*}} reason = "second"
// CHECK-NEXT: nxdt.aten "aten::sin"(%[[S]])
func.func @once(%a: tensor<4xf32>, %b: tensor<16x16xf32>) -> (tensor<16x16xf32>, tensor<4xf32>) {
  %d = nxdt.aten "aten::matmul"(%b, %b) : (tensor<16x16xf32>, tensor<16x16xf32>) -> tensor<16x16xf32>
  %0 = nxdt.all_reduce %a {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "first"} : tensor<4xf32> -> tensor<4xf32>
  %1 = nxdt.aten "aten::neg"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nxdt.all_reduce %1 {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "second"} : tensor<4xf32> -> tensor<4xf32>
  %3 = nxdt.aten "aten::sin"(%2) : (tensor<4xf32>) -> tensor<4xf32>
  return %d, %3 : tensor<16x16xf32>, tensor<4xf32>
}

// CHECK-LABEL: func @light
// CHECK-NEXT: nxdt.aten "aten::cos"
// CHECK-NEXT: nxdt.all_reduce %
func.func @light(%a: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %d = nxdt.aten "aten::cos"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %0 = nxdt.all_reduce %a {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "r"} : tensor<4xf32> -> tensor<4xf32>
  %1 = nxdt.aten "aten::neg"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %d, %1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Buckets that others follow are under way together, in the order of their starts; taking a part is no collective.
// CHECK-LABEL: func @buckets
// CHECK: %[[P:.*]] = nxdt.all_reduce_start %{{.*}}, %{{.*}} {
// CHECK-NEXT: %[[Q:.*]] = nxdt.all_reduce_start %{{.*}} reason = "c"
// CHECK-NEXT: %[[W:.*]]:2 = nxdt.wait %[[P]]
// CHECK-NEXT: nxdt.square_sum(%[[W]]#0, %[[W]]#1)
// CHECK-NEXT: nxdt.all_slice
// CHECK-NEXT: %[[V:.*]] = nxdt.wait %[[Q]]
// CHECK-NEXT: return
func.func @buckets(%a: tensor<4xf32>, %b: tensor<4xf32>, %c: tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>, tensor<2xf32>) {
  %p = nxdt.all_reduce_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], modules = ["", ""], reduction = "sum", reason = "bucket", reasons = ["a", "b"]}
      : (tensor<4xf32>, tensor<4xf32>) -> !nxdt.pending<tensor<4xf32>, tensor<4xf32>>
  %0:2 = nxdt.wait %p : !nxdt.pending<tensor<4xf32>, tensor<4xf32>> -> tensor<4xf32>, tensor<4xf32>
  %1 = nxdt.square_sum(%0#0, %0#1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<f32>
  %2 = nxdt.all_slice %c {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reason = "part"} : tensor<4xf32> -> tensor<2xf32>
  %3 = nxdt.all_reduce %c {axes = [#nxdt.axis<dp:(1)2>], reduction = "sum", reason = "c"} : tensor<4xf32> -> tensor<4xf32>
  return %1, %3, %2 : tensor<f32>, tensor<4xf32>, tensor<2xf32>
}
