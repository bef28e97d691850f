// RUN: nxdt-opt %s --verify-roundtrip | FileCheck %s

// CHECK: #mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>
#mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>

// CHECK-LABEL: func @whole_axes
// CHECK-SAME: tensor<8x64x512xf32, #dp-_-tp>
func.func @whole_axes(%a: tensor<8x64x512xf32, #nxdt.sharding<#mesh, [[dp], [], [tp]]>>) { return }

// CHECK-LABEL: func @parts_and_partial
// CHECK-SAME: tensor<8x64xf32, #dp-tp$1$2-partial-tp$2$2>
func.func @parts_and_partial(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[dp], [tp:(1)2]], partial [tp:(2)2]>>) { return }

// Two axes on one dimension, major to minor.
// CHECK-LABEL: func @two_axes
// CHECK-SAME: tensor<8x64xf32, #tp_dp-_>
func.func @two_axes(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp, dp], []]>>) { return }

// The last part of a dimension that does not divide is padded.
// CHECK-LABEL: func @padded
// CHECK-SAME: tensor<63xf32, #tp>
func.func @padded(%a: tensor<63xf32, #nxdt.sharding<#mesh, [[tp]]>>) { return }

// CHECK-LABEL: func @partial_max
// CHECK-SAME: tensor<8xf32, #_-partial_max-tp>
func.func @partial_max(%a: tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial max [tp]>>) { return }
