// RUN: nxdt-opt %s --functionalize --split-input-file --verify-roundtrip | FileCheck %s

// A view's write reaches the base, and the other view sees it.
nxdt.buffer @x {role = "input"} : tensor<2x4xf32>
nxdt.buffer @n {role = "buffer"} : tensor<2xf32>
// CHECK-LABEL: func @forward
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32> {nxdt.buffer = @x}, %[[N:.*]]: tensor<2xf32> {nxdt.buffer = @n})
// CHECK-SAME: -> (tensor<2x4xf32>, tensor<4xf32>, tensor<2xf32> {nxdt.buffer = @n})
func.func @forward(%x: tensor<2x4xf32> {nxdt.buffer = @x}, %n: tensor<2xf32> {nxdt.buffer = @n}) -> (tensor<2x4xf32>, tensor<4xf32>) {
  // CHECK-DAG: %[[Y:.*]] = nxdt.aten "aten::exp"(%[[X]])
  // CHECK-DAG: %[[V:.*]] = nxdt.aten "aten::select.int"(%[[Y]], 0, 1) : (tensor<2x4xf32>) -> tensor<4xf32>
  // CHECK: %[[V1:.*]] = nxdt.aten "aten::mul.Scalar"(%[[V]], 2.000000e+00) :
  // CHECK: %[[Y1:.*]] = nxdt.aten "aten::select_scatter"(%[[Y]], %[[V1]], 0, 1) :
  // CHECK: %[[N1:.*]] = nxdt.aten "aten::add.Scalar"(%[[N]], 1, 1) :
  // CHECK: %[[W1:.*]] = nxdt.aten "aten::view"(%[[Y1]], array<i64: 8>) :
  // CHECK: %[[S:.*]] = nxdt.aten "aten::slice.Tensor"(%[[W1]], 0, 4, 8, 1) :
  // CHECK: return %[[Y1]], %[[S]], %[[N1]]
  %y = nxdt.aten "aten::exp"(%x) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %w = nxdt.aten "aten::view"(%y, array<i64: 8>) {views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<8xf32>
  %s = nxdt.aten "aten::slice.Tensor"(%w, 0, 4, 8, 1) {views = array<i32: 0>} : (tensor<8xf32>) -> tensor<4xf32>
  %0 = nxdt.aten "aten::select.int"(%y, 0, 1) {views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<4xf32>
  %1 = nxdt.aten "aten::mul_.Scalar"(%0, 2.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  %2 = nxdt.aten "aten::add_.Scalar"(%n, 1, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
  return %y, %s : tensor<2x4xf32>, tensor<4xf32>
}
