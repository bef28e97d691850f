// RUN: nxdt-opt %s --lower-to-spmd --split-input-file --verify-diagnostics

#mesh = #nxdt.mesh<tp = 2>
nxdt.buffer @x {role = "scalar"} : tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>>
nxdt.buffer @y {role = "scalar"} : tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>
func.func @f(%x: tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>> {nxdt.buffer = @x}) -> (tensor<4xf32> {nxdt.buffer = @y}) {
  // expected-error @+1 {{result 0 has no sharding}}
  %0 = nxdt.aten "aten::exp"(%x) : (tensor<4xf32, #nxdt.sharding<#mesh, [[tp]]>>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

#mesh = #nxdt.mesh<tp = 2>
nxdt.buffer @x {role = "scalar"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>
nxdt.buffer @y {role = "scalar"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
func.func @f(%x: tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @x}, %y: tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>> {nxdt.buffer = @y}) -> (tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @x}) {
  // expected-error @+1 {{cannot work with operand 1 as it is split}}
  %0 = nxdt.aten "aten::mul.Tensor"(%x, %y) : (tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>, tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>>) -> tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>
  return %0 : tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>
}

// -----

#mesh = #nxdt.mesh<tp = 2>
nxdt.buffer @x {role = "scalar"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>
nxdt.buffer @y {role = "scalar"} : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
func.func @f(%x: tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>> {nxdt.buffer = @x}) -> (tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>> {nxdt.buffer = @y}) {
  // expected-error @+1 {{cannot give result 0 as it is split}}
  %0 = nxdt.aten "aten::exp"(%x) : (tensor<4x4xf32, #nxdt.sharding<#mesh, [[tp], []]>>) -> tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
  return %0 : tensor<4x4xf32, #nxdt.sharding<#mesh, [[], [tp]]>>
}
