// RUN: nxdt-opt %s --verify-roundtrip | FileCheck %s

// CHECK: #mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>
#mesh = #nxdt.mesh<pp = 1, dp = 2, cp = 1, tp = 4>

// CHECK-LABEL: func @whole_axes
// CHECK-SAME: tensor<8x64x512xf32, #nxdt.sharding<#mesh, {{\[}}[dp], [], [tp]]>>
func.func @whole_axes(%a: tensor<8x64x512xf32, #nxdt.sharding<#mesh, [[dp], [], [tp]]>>) { return }

// CHECK-LABEL: func @parts_and_partial
// CHECK-SAME: tensor<8x64xf32, #nxdt.sharding<#mesh, {{\[}}[dp], [tp:(1)2]], partial [tp:(2)2]>>
func.func @parts_and_partial(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[dp], [tp:(1)2]], partial [tp:(2)2]>>) { return }

// Two axes on one dimension, major to minor.
// CHECK-LABEL: func @two_axes
// CHECK-SAME: tensor<8x64xf32, #nxdt.sharding<#mesh, {{\[}}[tp, dp], []]>>
func.func @two_axes(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp, dp], []]>>) { return }
