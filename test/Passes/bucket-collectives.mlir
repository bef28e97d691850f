// RUN: nxdt-opt %s --bucket-collectives --split-input-file | FileCheck %s

// Gradients of one group go together, up to 48 bytes; the all_reduce of one of them comes behind and goes with its like.
// CHECK-LABEL: func @finish_step
// CHECK: %[[P:.*]] = nxdt.reduce_scatter_start %{{.*}}, %{{.*}} {
// CHECK-SAME: modules = ["a", "b"], reason = "bucket of 2: gradient of a", reasons = ["gradient of a", "gradient of b"]
// CHECK-NEXT: %[[W:.*]]:2 = nxdt.wait %[[P]]
// CHECK-NEXT: %[[Q:.*]] = nxdt.all_reduce_start %[[W]]#0, %[[W]]#1 {
// CHECK-NEXT: %[[V:.*]]:2 = nxdt.wait %[[Q]]
// CHECK-NEXT: %[[C:.*]] = nxdt.reduce_scatter %{{.*}} {{.*}} tensor<16xf32>
// CHECK-NEXT: return %[[V]]#0, %[[V]]#1, %[[C]]
module attributes {nxdt.bucket_bytes = 48 : i64} {
  nxdt.buffer @a.grad {role = "grad", param = "a"} : tensor<8xf32>
  nxdt.buffer @b.grad {role = "grad", param = "b"} : tensor<4xf32>
  nxdt.buffer @c.grad {role = "grad", param = "c"} : tensor<16xf32>
  nxdt.buffer @a.reduced_grad {role = "reduced_grad", param = "a"} : tensor<4xf32>
  nxdt.buffer @b.reduced_grad {role = "reduced_grad", param = "b"} : tensor<2xf32>
  nxdt.buffer @c.reduced_grad {role = "reduced_grad", param = "c"} : tensor<8xf32>
  func.func @finish_step(%a: tensor<8xf32> {nxdt.buffer = @a.grad}, %b: tensor<4xf32> {nxdt.buffer = @b.grad},
                         %c: tensor<16xf32> {nxdt.buffer = @c.grad})
      -> (tensor<4xf32> {nxdt.buffer = @a.reduced_grad}, tensor<2xf32> {nxdt.buffer = @b.reduced_grad},
          tensor<8xf32> {nxdt.buffer = @c.reduced_grad}) {
    %0 = nxdt.reduce_scatter %a {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reduction = "sum", reason = "gradient of a"} : tensor<8xf32> -> tensor<4xf32> loc("a")
    %1 = nxdt.all_reduce %0 {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "gradient of a"} : tensor<4xf32> -> tensor<4xf32> loc("a")
    %2 = nxdt.reduce_scatter %b {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reduction = "sum", reason = "gradient of b"} : tensor<4xf32> -> tensor<2xf32> loc("b")
    %3 = nxdt.all_reduce %2 {axes = [#nxdt.axis<tp:(1)2>], reduction = "sum", reason = "gradient of b"} : tensor<2xf32> -> tensor<2xf32> loc("b")
    %4 = nxdt.reduce_scatter %c {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reduction = "sum", reason = "gradient of c"} : tensor<16xf32> -> tensor<8xf32> loc("c")
    return %1, %3, %4 : tensor<4xf32>, tensor<2xf32>, tensor<8xf32>
  }
}

// -----

// Parameters go together, too: where they end up is a buffer. Other kinds, groups, dims and element types stay apart,
// and so do activations, though they wait for nothing.
// CHECK-LABEL: func @update_step
// CHECK: nxdt.all_gather_start %{{.*}}, %{{.*}} {{.*}} -> !nxdt.pending<tensor<8xf32>, tensor<4xf32>>
// CHECK: nxdt.all_gather %{{.*}} tensor<4x2xf32> -> tensor<4x4xf32>
// CHECK-LABEL: func @train_step
// CHECK: nxdt.all_gather %
// CHECK: nxdt.all_gather %
module attributes {nxdt.bucket_bytes = 1024 : i64} {
  nxdt.buffer @a {role = "param"} : tensor<8xf32>
  nxdt.buffer @b {role = "param"} : tensor<4xf32>
  nxdt.buffer @c {role = "param"} : tensor<4x4xf32>
  nxdt.buffer @x {role = "carry"} : tensor<4xf32>
  nxdt.buffer @y {role = "carry"} : tensor<4xf32>
  nxdt.buffer @z {role = "scalar"} : tensor<8xf32>
  func.func @update_step(%x: tensor<4xf32>, %y: tensor<2xf32>, %z: tensor<4x2xf32>)
      -> (tensor<8xf32> {nxdt.buffer = @a}, tensor<4xf32> {nxdt.buffer = @b}, tensor<4x4xf32> {nxdt.buffer = @c}) {
    %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
    %1 = nxdt.all_gather %0 {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reason = "a"} : tensor<4xf32> -> tensor<8xf32>
    %2 = nxdt.aten "aten::exp"(%y) : (tensor<2xf32>) -> tensor<2xf32>
    %3 = nxdt.all_gather %2 {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reason = "b"} : tensor<2xf32> -> tensor<4xf32>
    %4 = nxdt.aten "aten::exp"(%z) : (tensor<4x2xf32>) -> tensor<4x2xf32>
    %5 = nxdt.all_gather %4 {axes = [#nxdt.axis<dp:(1)2>], dim = 1, reason = "c"} : tensor<4x2xf32> -> tensor<4x4xf32>
    return %1, %3, %5 : tensor<8xf32>, tensor<4xf32>, tensor<4x4xf32>
  }
  func.func @train_step(%x: tensor<4xf32> {nxdt.buffer = @x}, %y: tensor<4xf32> {nxdt.buffer = @y}) -> (tensor<8xf32> {nxdt.buffer = @z}) {
    %0 = nxdt.all_gather %x {axes = [#nxdt.axis<tp:(1)2>], dim = 0, reason = "x"} : tensor<4xf32> -> tensor<8xf32>
    %1 = nxdt.all_gather %y {axes = [#nxdt.axis<tp:(1)2>], dim = 0, reason = "y"} : tensor<4xf32> -> tensor<8xf32>
    %2 = nxdt.aten "aten::mul.Tensor"(%0, %1) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    return %2 : tensor<8xf32>
  }
}
