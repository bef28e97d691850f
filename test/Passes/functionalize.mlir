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
  // What was written may lie in memory in another way, which `view` could refuse.
  // CHECK: %[[W1:.*]] = nxdt.aten "aten::reshape"(%[[Y1]], array<i64: 8>) :
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

// -----

// What is overwritten as a whole is not read.
// CHECK-LABEL: func @forward
// CHECK-SAME: (%[[X:.*]]: tensor<4xbf16>, %[[S:.*]]: tensor<f64>,
// CHECK-NEXT: %[[X32:.*]] = nxdt.aten "aten::to.dtype"(%[[X]], f32, false, false, none)
// CHECK-NEXT: %[[COPY:.*]] = nxdt.aten "aten::expand"(%[[X32]], array<i64: 2, 4>, false)
// CHECK-NEXT: %[[R0:.*]] = nxdt.aten "aten::clone"(%[[COPY]], none)
// CHECK-NEXT: %[[THREE:.*]] = nxdt.aten "aten::full"(array<i64: 2, 4>, 3.000000e+00, f32, none, device, none)
// CHECK-NEXT: %[[R1:.*]] = nxdt.aten "aten::clone"(%[[THREE]], none)
// CHECK-NEXT: %[[S32:.*]] = nxdt.aten "aten::to.dtype"(%[[S]], f32, false, false, none)
// CHECK-NEXT: %[[FILL:.*]] = nxdt.aten "aten::expand"(%[[S32]], array<i64: 2, 4>, false)
// CHECK-NEXT: %[[R2:.*]] = nxdt.aten "aten::clone"(%[[FILL]], none)
// CHECK-NEXT: %[[ZERO:.*]] = nxdt.aten "aten::full"(array<i64: 2, 4>, 0.000000e+00, f32, none, device, none)
// CHECK-NEXT: %[[FALSE:.*]] = nxdt.aten "aten::full"(array<i64: 4>, false, i1, none, device, none)
// CHECK-NEXT: return %[[R0]], %[[R1]], %[[R2]], %[[FALSE]], %[[ZERO]], %[[FALSE]]
nxdt.buffer @a {role = "buffer"} : tensor<2x4xf32>
nxdt.buffer @m {role = "buffer"} : tensor<4xi1>
func.func @forward(%x: tensor<4xbf16>, %s: tensor<f64>, %a: tensor<2x4xf32> {nxdt.buffer = @a}, %m: tensor<4xi1> {nxdt.buffer = @m}) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xi1>) {
  %0 = nxdt.aten "aten::copy_"(%a, %x, false) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>, tensor<4xbf16>) -> tensor<2x4xf32>
  %1 = nxdt.aten "aten::clone"(%0, none) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %2 = nxdt.aten "aten::fill_.Scalar"(%a, 3.0) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %3 = nxdt.aten "aten::clone"(%a, none) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %4 = nxdt.aten "aten::fill_.Tensor"(%a, %s) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>, tensor<f64>) -> tensor<2x4xf32>
  %5 = nxdt.aten "aten::clone"(%a, none) : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %6 = nxdt.aten "aten::zero_"(%a) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %7 = nxdt.aten "aten::zero_"(%m) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xi1>) -> tensor<4xi1>
  return %1, %3, %5, %m : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<4xi1>
}

// -----

// The pure form widens; what is written has the type of what it is written to.
// CHECK-LABEL: func @forward
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[A:.*]]: tensor<4xbf16> {nxdt.buffer = @a}) -> (tensor<4xbf16>, tensor<4xbf16> {nxdt.buffer = @a})
// CHECK-NEXT: %[[SUM:.*]] = nxdt.aten "aten::add.Tensor"(%[[A]], %[[X]], 1) : (tensor<4xbf16>, tensor<4xf32>) -> tensor<4xf32>
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::to.dtype"(%[[SUM]], bf16,
// CHECK-NEXT: %[[A2:.*]] = nxdt.aten "aten::pow.Tensor_Scalar"(%[[A1]], 2) :
// CHECK-NEXT: %[[GT:.*]] = nxdt.aten "aten::gt.Scalar"(%[[A2]], 1) : (tensor<4xbf16>) -> tensor<4xi1>
// CHECK-NEXT: %[[A3:.*]] = nxdt.aten "aten::to.dtype"(%[[GT]], bf16,
// CHECK-NEXT: return %[[A3]], %[[A3]]
nxdt.buffer @a {role = "buffer"} : tensor<4xbf16>
func.func @forward(%x: tensor<4xf32>, %a: tensor<4xbf16> {nxdt.buffer = @a}) -> tensor<4xbf16> {
  %0 = nxdt.aten "aten::add_.Tensor"(%a, %x, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xbf16>, tensor<4xf32>) -> tensor<4xbf16>
  %1 = nxdt.aten "aten::pow_.Scalar"(%a, 2) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xbf16>) -> tensor<4xbf16>
  %2 = nxdt.aten "aten::gt_.Scalar"(%a, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xbf16>) -> tensor<4xbf16>
  return %0 : tensor<4xbf16>
}

// -----

// The inverse of aten::view.
// CHECK-LABEL: func @view(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::view"(%[[A]], array<i64: 24>)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::reshape"(%[[V1]], array<i64: 2, 3, 4>)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @view(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::view"(%a, array<i64: 24>) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<24xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<24xf32>) -> tensor<24xf32>
  return
}

// -----

// The inverse of aten::unsqueeze.
// CHECK-LABEL: func @unsqueeze(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::unsqueeze"(%[[A]], 0)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::reshape"(%[[V1]], array<i64: 2, 3, 4>)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @unsqueeze(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::unsqueeze"(%a, 0) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// An expand that only adds dimensions of size 1 has an inverse.
// CHECK-LABEL: func @expand_of_nothing(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::expand"(%[[A]], array<i64: 1, 2, 3, 4>, false)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::reshape"(%[[V1]], array<i64: 2, 3, 4>)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @expand_of_nothing(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::expand"(%a, array<i64: 1, 2, 3, 4>, false) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<1x2x3x4xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<1x2x3x4xf32>) -> tensor<1x2x3x4xf32>
  return
}

// -----

// The inverse of aten::transpose.int.
// CHECK-LABEL: func @transpose(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::transpose.int"(%[[A]], 0, -1)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::transpose.int"(%[[V1]], 0, -1)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @transpose(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::transpose.int"(%a, 0, -1) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<4x3x2xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4x3x2xf32>) -> tensor<4x3x2xf32>
  return
}

// -----

// The inverse of aten::permute.
// CHECK-LABEL: func @permute(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::permute"(%[[A]], array<i64: 2, -3, 1>)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::permute"(%[[V1]], array<i64: 1, 2, 0>)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @permute(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::permute"(%a, array<i64: 2, -3, 1>) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4x2x3xf32>) -> tensor<4x2x3xf32>
  return
}

// -----

// The inverse of aten::mT.
// CHECK-LABEL: func @mT(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::mT"(%[[A]])
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::transpose.int"(%[[V1]], -2, -1)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @mT(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::mT"(%a) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  return
}

// -----

// The inverse of aten::slice.Tensor.
// CHECK-LABEL: func @slice(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::slice.Tensor"(%[[A]], 2, 1, 9223372036854775807, 2)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::slice_scatter"(%[[A]], %[[V1]], 2, 1, 9223372036854775807, 2)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @slice(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::slice.Tensor"(%a, 2, 1, 9223372036854775807, 2) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  return
}

// -----

// The inverse of aten::narrow.
// CHECK-LABEL: func @narrow(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::narrow"(%[[A]], -1, -3, 2)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::slice_scatter"(%[[A]], %[[V1]], -1, 1, 3, 1)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @narrow(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::narrow"(%a, -1, -3, 2) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<2x3x2xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
  return
}

// -----

// The inverse of aten::select.int.
// CHECK-LABEL: func @select(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::select.int"(%[[A]], 1, -1)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::select_scatter"(%[[A]], %[[V1]], 1, -1)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @select(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::select.int"(%a, 1, -1) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<2x4xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

// The inverse of aten::diagonal.
// CHECK-LABEL: func @diagonal(
// CHECK-SAME: %[[A:.*]]: tensor<2x3x4xf32> {nxdt.buffer = @a}) -> (tensor<2x3x4xf32> {nxdt.buffer = @a})
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::diagonal"(%[[A]], 1, 1, 2)
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::relu"(%[[V]])
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::diagonal_scatter"(%[[A]], %[[V1]], 1, 1, 2)
// CHECK-NEXT: return %[[A1]]
nxdt.buffer @a {role = "buffer"} : tensor<2x3x4xf32>
func.func @diagonal(%a: tensor<2x3x4xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::diagonal"(%a, 1, 1, 2) {views = array<i32: 0>} : (tensor<2x3x4xf32>) -> tensor<2x3xf32>
  %0 = nxdt.aten "aten::relu_"(%v) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

// One part of a split is written, the other is read.
// CHECK-LABEL: func @split
// CHECK: %[[A:.*]] = nxdt.aten "aten::exp"
// CHECK-NEXT: %[[OLD:.*]]:2 = nxdt.aten "aten::split_with_sizes"(%[[A]], array<i64: 2, 4>, 0)
// CHECK-NEXT: %[[Q:.*]] = nxdt.aten "aten::neg"(%[[OLD]]#1)
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::slice_scatter"(%[[A]], %[[Q]], 0, 2, 6, 1)
// CHECK-NEXT: %[[NEW:.*]]:2 = nxdt.aten "aten::split_with_sizes"(%[[A1]], array<i64: 2, 4>, 0)
// CHECK-NEXT: return %[[A1]], %[[NEW]]#0, %[[Q]]
func.func @split(%x: tensor<6xf32>) -> (tensor<6xf32>, tensor<2xf32>, tensor<4xf32>) {
  %a = nxdt.aten "aten::exp"(%x) : (tensor<6xf32>) -> tensor<6xf32>
  %p, %q = nxdt.aten "aten::split_with_sizes"(%a, array<i64: 2, 4>, 0) {views = array<i32: 0, 0>} : (tensor<6xf32>) -> (tensor<2xf32>, tensor<4xf32>)
  %0 = nxdt.aten "aten::neg_"(%q) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<4xf32>) -> tensor<4xf32>
  return %a, %p, %q : tensor<6xf32>, tensor<2xf32>, tensor<4xf32>
}

// -----

// A view of a view: the write climbs through both. A `reshape` that capture
// saw copying is no view; `view` is one even where the attribute is missing.
// CHECK-LABEL: func @chain
// CHECK: %[[A:.*]] = nxdt.aten "aten::exp"
// CHECK-NEXT: %[[COPY:.*]] = nxdt.aten "aten::reshape"(%[[A]], array<i64: 12>)
// CHECK-NEXT: %[[ROW:.*]] = nxdt.aten "aten::select.int"(%[[A]], 0, 1)
// CHECK-NEXT: %[[PAIRS:.*]] = nxdt.aten "aten::view"(%[[ROW]], array<i64: 3, 2>)
// CHECK-NEXT: %[[NEW:.*]] = nxdt.aten "aten::mul.Tensor"(%[[PAIRS]], %[[PAIRS]])
// CHECK-NEXT: %[[ROW1:.*]] = nxdt.aten "aten::reshape"(%[[NEW]], array<i64: 6>)
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::select_scatter"(%[[A]], %[[ROW1]], 0, 1)
// CHECK-NEXT: return %[[A1]], %[[COPY]]
func.func @chain(%x: tensor<2x6xf32>) -> (tensor<2x6xf32>, tensor<12xf32>) {
  %a = nxdt.aten "aten::exp"(%x) : (tensor<2x6xf32>) -> tensor<2x6xf32>
  %copy = nxdt.aten "aten::reshape"(%a, array<i64: 12>) : (tensor<2x6xf32>) -> tensor<12xf32>
  %row = nxdt.aten "aten::select.int"(%a, 0, 1) {views = array<i32: 0>} : (tensor<2x6xf32>) -> tensor<6xf32>
  %pairs = nxdt.aten "aten::view"(%row, array<i64: 3, 2>) : (tensor<6xf32>) -> tensor<3x2xf32>
  %0 = nxdt.aten "aten::mul_.Tensor"(%pairs, %pairs) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return %a, %copy : tensor<2x6xf32>, tensor<12xf32>
}

// -----

// Grad mode is that of the mutation, also of the write back; a copied value
// that has a gradient loses it.
// CHECK-LABEL: func @no_grad
// CHECK: %[[H:.*]] = nxdt.aten "aten::exp"
// CHECK-NEXT: %[[V:.*]] = nxdt.aten "aten::t"(%{{.*}}) {no_grad}
// CHECK-NEXT: %[[V1:.*]] = nxdt.aten "aten::mul.Tensor"(%[[V]], %[[H]]) {no_grad}
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::t"(%[[V1]]) {no_grad}
// CHECK-NEXT: %[[R:.*]] = nxdt.aten "aten::clone"(%[[A1]], none) :
// CHECK-NEXT: %[[A2:.*]] = nxdt.aten "aten::detach"(%[[H]]) {no_grad}
// CHECK-NEXT: return %[[R]], %[[A2]]
nxdt.buffer @w {role = "param"} : tensor<2x2xf32>
nxdt.buffer @a {role = "buffer"} : tensor<2x2xf32>
func.func @no_grad(%w: tensor<2x2xf32> {nxdt.buffer = @w}, %a: tensor<2x2xf32> {nxdt.buffer = @a}) -> tensor<2x2xf32> {
  %h = nxdt.aten "aten::exp"(%w) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %v = nxdt.aten "aten::t"(%a) {views = array<i32: 0>, no_grad} : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %0 = nxdt.aten "aten::mul_.Tensor"(%v, %h) {mutates = array<i32: 0>, views = array<i32: 0>, no_grad} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = nxdt.aten "aten::clone"(%a, none) : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %2 = nxdt.aten "aten::copy_"(%a, %h, false) {mutates = array<i32: 0>, views = array<i32: 0>, no_grad} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// -----

// Writes through detach reach a value without gradient.
// CHECK-LABEL: func @detached
// CHECK: %[[V:.*]] = nxdt.aten "aten::detach"
// CHECK-NEXT: %[[A1:.*]] = nxdt.aten "aten::add.Scalar"(%[[V]], 1, 1)
// CHECK-NEXT: return %[[A1]] : tensor<2xf32>
nxdt.buffer @a {role = "buffer"} : tensor<2xf32>
func.func @detached(%a: tensor<2xf32> {nxdt.buffer = @a}) {
  %v = nxdt.aten "aten::detach"(%a) {views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
  %0 = nxdt.aten "aten::add_.Scalar"(%v, 1, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// A buffer that capture returns already is returned once, as it is at the end.
// CHECK-LABEL: func @returned
// CHECK-SAME: -> (tensor<i64> {nxdt.buffer = @n})
// CHECK: %[[N1:.*]] = nxdt.aten "aten::add.Scalar"
// CHECK-NEXT: return %[[N1]] : tensor<i64>
nxdt.buffer @n {role = "buffer"} : tensor<i64>
func.func @returned(%n: tensor<i64> {nxdt.buffer = @n}) -> (tensor<i64> {nxdt.buffer = @n}) {
  %0 = nxdt.aten "aten::add_.Scalar"(%n, 1, 1) {mutates = array<i32: 0>, views = array<i32: 0>} : (tensor<i64>) -> tensor<i64>
  return %n : tensor<i64>
}
